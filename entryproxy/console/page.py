"""The page for people: the state of the pod as one HTML document without scripts and without anything to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from entryproxy.console import api, words
from entryproxy.console.html import Html, element, joined
from entryproxy.console.page_explain import explain_section
from entryproxy.console.paging import page_of
from entryproxy.console.rows import CertificateRow, TenantRow, certificate_row, tenant_row
from entryproxy.console.state import PodState
from entryproxy.console.style import STYLE
from entryproxy.model.finding import Finding
from entryproxy.routing.table import all_certificates
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.totals import total_of

ROWS_MAX = 100
_STATE_CHIPS = {"valid": "good", "expiring": "warn", "expired": "bad", "notYetValid": "warn"}


def render(state: PodState, query: Mapping[str, str]) -> str:
    """The whole page. query: `host` to explain, `tenant` to look at one, `tenants` and `certificates` to turn pages.

    Raises QueryError.
    """
    report = total_of(state.reports)
    content = element(
        "main",
        _header(state),
        _facts(state, report),
        explain_section(state, query.get("host", "").strip()),
        _findings(state, query),
        _tenants(state, report, query),
        _certificates(state, query),
        _workers(state),
        _footer(),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", "entryproxy"),
        Html(f"<style>{STYLE}</style>"),
    )
    return "<!doctype html>\n" + element("html", head, element("body", content), lang="en") + "\n"


def _header(state: PodState) -> Html:
    chip = _chip("Ready", "good") if state.ready else _chip("Not ready", "bad")
    reason = element("span", state.reason) if state.reason else None
    domain = element("span", state.snapshot.platform.system_domain, class_="soft") if state.snapshot else None
    stale = None
    if state.source_error:
        stale = joined(
            _chip("Stale", "warn"),
            " ",
            element("span", f"the source can't be read: {state.source_error}", class_="soft"),
        )
    return element("header", element("h1", "entryproxy"), chip, reason, domain, stale)


def _facts(state: PodState, report: WorkerReport) -> Html:
    tenants = report.tenants.values()
    facts = (
        (words.count(len(state.snapshot.tenants) if state.snapshot else 0), "tenants"),
        (words.count(sum(sum(one.requests.values()) for one in tenants)), "requests"),
        (words.count(sum(one.in_flight for one in tenants)), "in flight"),
        (words.count(report.client_connections), "connections"),
        (words.size(sum(one.received_bytes for one in tenants)), "received"),
        (words.size(sum(one.sent_bytes for one in tenants)), "sent"),
        (words.count(state.generation), "configuration"),
        (words.duration(state.now - state.started_at), "up"),
    )
    boxes = (element("div", element("b", value), element("span", label)) for value, label in facts)
    return element("section", element("div", *boxes, class_="facts"))


def _findings(state: PodState, query: Mapping[str, str]) -> Html:
    wanted = query.get("tenant", "")
    page = page_of(((api.finding_key(one), one) for one in state.findings if wanted in ("", one.tenant)), ROWS_MAX, "")
    if not page.items:
        return _section("Findings", element("p", "Nothing to report.", class_="soft"))
    rows = [_finding_cells(one) for one in page.items]
    return _section("Findings", _table(("Severity", "Object", "What"), rows), more="api/findings" if page.token else "")


def _finding_cells(finding: Finding) -> tuple[str, ...]:
    chip = _chip(finding.severity, "bad" if finding.severity == "error" else "warn")
    where = " ".join(filter(None, (finding.field, finding.origin and f"({finding.origin})")))
    return (
        chip,
        joined(finding.object, element("div", where, class_="soft")),
        joined(finding.message, element("div", finding.reason, class_="soft")),
    )


def _tenants(state: PodState, report: WorkerReport, query: Mapping[str, str]) -> Html:
    snapshot, wanted = state.snapshot, query.get("tenant", "")
    if snapshot is None:
        return _section("Tenants", element("p", "No configuration is in force yet.", class_="soft"))
    page = page_of(
        ((one.id, one) for one in snapshot.tenants.values() if wanted in ("", one.id)),
        ROWS_MAX,
        query.get("tenants", ""),
    )
    rows = [_tenant_cells(tenant_row(one, snapshot.platform.system_domain, report)) for one in page.items]
    head = ("Tenant", "Hosts", "Gateway", "#Requests", "#5xx", "#In flight", "#Received", "#Sent")
    body = _table(head, rows) if rows else element("p", "None.", class_="soft")
    search = element(
        "form",
        element("input", name="tenant", value=wanted, placeholder="One tenant’s id", aria_label="Tenant id"),
        element("button", "Show"),
        method="get",
        action="./",
    )
    return _section("Tenants", joined(search, body), more=_next_page(query, "tenants", page.token))


def _tenant_cells(row: TenantRow) -> tuple[str, ...]:
    traffic = row.traffic
    errors = words.count(traffic.errors)
    return (
        joined(
            element("a", row.id, href="?" + urlencode({"tenant": row.id})), element("div", row.source, class_="soft")
        ),
        _lines(row.hosts),
        joined(_lines(_gateways(row)), element("div", row.gateway_protocol, class_="soft")),
        words.count(traffic.requests),
        _chip(errors, "bad") if traffic.errors else errors,
        words.count(traffic.in_flight),
        words.size(traffic.received_bytes),
        words.size(traffic.sent_bytes),
    )


def _certificates(state: PodState, query: Mapping[str, str]) -> Html:
    wanted = query.get("tenant", "")
    certificates = all_certificates(state.snapshot) if state.snapshot else ()
    # The one that ends first comes first; expiry in whole seconds, wide enough to sort as text.
    page = page_of(
        ((f"{one.not_after:015.0f} {one.source}", one) for one in certificates if wanted in ("", one.owner)),
        ROWS_MAX,
        query.get("certificates", ""),
    )
    if not page.items:
        return _section("Certificates", element("p", "None.", class_="soft"))
    rows = [_certificate_cells(certificate_row(one, state.now)) for one in page.items]
    body = _table(("Secret", "Tenant", "Names", "Expires"), rows)
    return _section("Certificates", body, more=_next_page(query, "certificates", page.token))


def _certificate_cells(row: CertificateRow) -> tuple[str, ...]:
    left = "not valid yet" if row.state == "notYetValid" else words.days_left(row.days_left)
    expiry = joined(_chip(left, _STATE_CHIPS[row.state]), element("div", row.not_after[:10], class_="soft"))
    return row.source, row.tenant, _lines(row.names), expiry


def _workers(state: PodState) -> Html:
    rows = []
    for one in state.workers:
        if not one.connected:
            chip = _chip("away", "bad")
        elif one.generation != state.generation:
            chip = _chip("behind", "warn")
        else:
            chip = _chip("in force", "good")
        rows.append((str(one.slot), chip, *map(str, (one.pid, one.generation, one.restarts))))
    return _section("Workers", _table(("Worker", "State", "#Process", "#Configuration", "#Restarts"), rows))


def _footer() -> Html:
    paths = ("metrics", "api/tenants", "api/certificates", "api/findings", "api/workers")
    return element(
        "p", joined(*(element("a", "/" + path, href=path) for path in paths), separator=" · "), class_="soft"
    )


def _section(title: str, body: Html, more: str = "") -> Html:
    link = element("a", "more →", href=more, class_="more") if more else None
    return element("section", element("div", element("h2", title), link, class_="title"), body)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table; "#" before a heading makes a column of numbers. On narrow screens the headings label the cells."""
    labels = [one.removeprefix("#") for one in head]
    classes = ["number" if one.startswith("#") else None for one in head]
    cells = [element("th", label, scope="col", class_=kind) for label, kind in zip(labels, classes, strict=True)]
    body = [
        element(
            "tr",
            *(
                element("td", element("div", cell), class_=kind, data_label=label)
                for cell, label, kind in zip(row, labels, classes, strict=True)
            ),
        )
        for row in rows
    ]
    table = element("table", element("thead", element("tr", *cells)), element("tbody", *body))
    return element("div", table, class_="scroll")


def _gateways(row: TenantRow) -> Sequence[str]:
    """What is dialled."""
    if row.gateway_endpoints is None:
        return row.gateway_addresses
    return row.gateway_endpoints or (f"no pod of {row.gateway_service} is ready",)


def _lines(values: Sequence[str]) -> Html:
    return element("ul", *(element("li", value) for value in values))


def _chip(text: str, kind: str) -> Html:
    return element("span", text, class_=f"chip {kind}")


def _next_page(query: Mapping[str, str], name: str, token: str) -> str:
    return "?" + urlencode({**query, name: token}) if token else ""
