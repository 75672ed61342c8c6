"""The read-only JSON: from the state of the pod and a query to a document. Pure; `server` does the rest.

Lists take `tenant` (one tenant's items), `limit` and `continue` (pages); they answer `{"items": […], "continue": "…"}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from entryproxy.console.paging import QueryError, limit_of, page_of
from entryproxy.console.rows import certificate_row, tenant_row
from entryproxy.console.state import PodState
from entryproxy.model.finding import Finding
from entryproxy.routing.explain import explain
from entryproxy.routing.table import all_certificates
from entryproxy.telemetry.totals import total_of

Query = Mapping[str, str]


class NotConfiguredError(Exception):
    """There is no configuration yet to answer from."""


def tenants(state: PodState, query: Query) -> dict[str, Any]:
    """Tenants in force, by id."""
    snapshot = state.snapshot
    if snapshot is None:
        return _listed(state, [], "")
    wanted = query.get("tenant", "")
    page = page_of(
        ((one.id, one) for one in snapshot.tenants.values() if wanted in ("", one.id)),
        limit_of(query, default=0),
        query.get("continue", ""),
    )
    report = total_of(state.reports)
    return _listed(state, [tenant_row(one, snapshot.platform.system_domain, report) for one in page.items], page.token)


def certificates(state: PodState, query: Query) -> dict[str, Any]:
    """Certificates in force, by tenant ("system" is the platform) and Secret."""
    wanted = query.get("tenant", "")
    page = page_of(
        (
            (f"{one.owner}/{one.source}", one)
            for one in (all_certificates(state.snapshot) if state.snapshot else ())
            if wanted in ("", one.owner)
        ),
        limit_of(query, default=0),
        query.get("continue", ""),
    )
    return _listed(state, [certificate_row(one, state.now) for one in page.items], page.token)


def findings(state: PodState, query: Query) -> dict[str, Any]:
    """What the compiler has to say, errors before warnings, by object."""
    wanted = query.get("tenant", "")
    page = page_of(
        ((finding_key(one), one) for one in state.findings if wanted in ("", one.tenant)),
        limit_of(query, default=0),
        query.get("continue", ""),
    )
    return _listed(state, page.items, page.token)


def workers(state: PodState, query: Query) -> dict[str, Any]:
    """The pod's workers, by slot."""
    return _listed(state, list(state.workers), "")


def explained(state: PodState, query: Query) -> msgspec.Struct:
    """What happens to a host, and why. Raises QueryError, NotConfiguredError before there is a snapshot."""
    host = query.get("host", "").strip()
    if not host or len(host) > 255:
        raise QueryError("give the host name to explain: ?host=app.customer.com")
    if state.snapshot is None:
        raise NotConfiguredError
    return explain(state.snapshot, state.findings, host, state.now)


def finding_key(finding: Finding) -> str:
    """Orders findings for people: errors first, then object and field."""
    return "\n".join((finding.severity, finding.object, finding.field, finding.reason, finding.message))


def _listed(state: PodState, items: list[Any], token: str) -> dict[str, Any]:
    return {"generation": state.generation, "items": items, "continue": token}


DOCUMENTS: Mapping[str, Callable[[PodState, Query], Any]] = {
    "/api/tenants": tenants,
    "/api/certificates": certificates,
    "/api/findings": findings,
    "/api/workers": workers,
    "/api/explain": explained,
}
