"""What would happen to a host, in words: the workers' own decisions, without traffic and without key material."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from entryproxy.model.certificate import Certificate
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import normalize
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Limits, Tenant, Timeouts
from entryproxy.model.times import rfc3339
from entryproxy.routing.match import NoRoute, match_host, parse_system_host
from entryproxy.routing.sni import Choice, choose_certificate


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of an explanation."""


class CertificateView(View, frozen=True, kw_only=True):
    """The certificate that would be served. Times as RFC 3339; covered: whether its SANs cover the host (rule 6)."""

    source: str
    owner: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    fingerprint: str
    covered: bool


class GatewayView(View, frozen=True, kw_only=True):
    """Where requests go. server_name: what the gateway's certificate must carry, only for protocol "https".

    service: "namespace/name" with `balance: endpoints`, else "". endpoints: its pods, which are dialled instead of the
    addresses; None when they are not known.
    """

    addresses: tuple[str, ...]
    protocol: str
    server_name: str = ""
    service: str = ""
    endpoints: tuple[str, ...] | None = None


class Explanation(View, frozen=True, kw_only=True):
    """One host, explained. reason and detail are "" when it is served, else the word and the sentence of the refusal.

    status: what a client is told over HTTP when the refusal is not in the handshake, else 0. provisioning: as in
    model.tenant.Tenant; unless it is "", a host that is served gets 503 as long as no gateway answers.
    """

    host: str
    outcome: Literal["served", "refusedAtTls", "refusedAtHttp"]
    reason: str = ""
    detail: str = ""
    status: int = 0
    certificate: CertificateView | None = None
    tenant: str = ""
    service: str = ""
    domain_type: str = ""
    gateway: GatewayView | None = None
    provisioning: Literal["", "pending", "failed"] = ""
    https_redirect: bool | None = None
    hsts: str = ""
    limits: Limits | None = None
    timeouts: Timeouts | None = None
    findings: tuple[Finding, ...] = ()


def explain(snapshot: Snapshot, findings: Iterable[Finding], host: str, now: float) -> Explanation:
    """What a client that asks for `host` (any case, port allowed) would meet. `now` in Unix seconds."""
    host = normalize(host)
    choice = choose_certificate(snapshot, host, now)
    route = match_host(snapshot, host)
    explanation = Explanation(
        host=host,
        outcome="served",
        certificate=None if choice.refused else _view_certificate(choice),
        findings=tuple(one for one in findings if _concerns(one, snapshot, host, choice)),
    )
    if not isinstance(route, NoRoute):
        explanation = msgspec.structs.replace(
            explanation, service=route.service, domain_type=route.domain_type, **_view_tenant(route.tenant)
        )
    if choice.refused:
        return msgspec.structs.replace(explanation, outcome="refusedAtTls", reason=choice.reason, detail=choice.detail)
    if isinstance(route, NoRoute):
        return msgspec.structs.replace(
            explanation, outcome="refusedAtHttp", reason=route.reason, detail=route.detail, status=404
        )
    return explanation


def view_gateway(tenant: Tenant) -> GatewayView:
    """Where requests of a tenant go."""
    service, endpoints = tenant.gateway_service, tenant.gateway_endpoints
    return GatewayView(
        addresses=tenant.gateway_addresses,
        protocol=tenant.gateway_protocol,
        server_name=tenant.gateway_name if tenant.gateway_protocol == "https" else "",
        service=f"{service.namespace}/{service.name}" if service is not None else "",
        endpoints=tuple(one.address for one in endpoints) if endpoints is not None else None,
    )


def _view_tenant(tenant: Tenant) -> dict[str, object]:
    return {
        "tenant": tenant.id,
        "gateway": view_gateway(tenant),
        "provisioning": tenant.provisioning,
        "https_redirect": tenant.https_redirect,
        "hsts": tenant.hsts,
        "limits": tenant.limits,
        "timeouts": tenant.timeouts,
    }


def _view_certificate(choice: Choice) -> CertificateView:
    best: Certificate = choice.candidates[0]
    return CertificateView(
        source=best.source,
        owner=best.owner,
        names=best.names,
        not_before=rfc3339(best.not_before),
        not_after=rfc3339(best.not_after),
        fingerprint=best.fingerprint,
        covered=choice.covered,
    )


def _concerns(finding: Finding, snapshot: Snapshot, host: str, choice: Choice) -> bool:
    """Findings of the tenant that the host leads to, or would lead to, and those that name the host itself."""
    system_host = parse_system_host(host, snapshot.platform.system_domain)
    tenant_id = choice.tenant_id or (system_host.tenant_id if system_host else "")
    return (tenant_id != "" and finding.tenant == tenant_id) or f'"{host}"' in finding.message
