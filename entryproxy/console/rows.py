"""What the console says about tenants and certificates: public rows, the same for the JSON and for the page.

Rows are built field by field from the snapshot, so that nothing gets out that isn't named here, keys least of all.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from entryproxy.compiler.parsing import EXPIRY_WARNING_SECONDS
from entryproxy.model.certificate import Certificate
from entryproxy.model.tenant import Limits, Tenant, Timeouts
from entryproxy.model.times import rfc3339
from entryproxy.routing.explain import view_gateway
from entryproxy.telemetry.counters import TenantReport, WorkerReport

_DAY_SECONDS = 86_400


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One object of the JSON."""


class Traffic(Row, frozen=True, kw_only=True):
    """What a tenant had to do since the pod started. errors: answers with a 5xx status."""

    requests: int
    errors: int
    in_flight: int
    received_bytes: int
    sent_bytes: int
    gateway_errors: int


class TenantRow(Row, frozen=True, kw_only=True):
    """A tenant in force. hosts: "*.<its system host>", its system host, then its custom domains, sorted.

    gateway_service, gateway_endpoints: as in `routing.explain.GatewayView`.
    """

    id: str
    source: str
    hosts: tuple[str, ...]
    gateway_addresses: tuple[str, ...]
    gateway_service: str
    gateway_endpoints: tuple[str, ...] | None
    gateway_protocol: str
    https_redirect: bool
    hsts: str
    limits: Limits
    timeouts: Timeouts
    certificates: tuple[str, ...]
    traffic: Traffic


class CertificateRow(Row, frozen=True, kw_only=True):
    """A certificate in force. source: "namespace/name" of its Secret. days_left: whole days, negative once expired."""

    tenant: str
    source: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    days_left: int
    state: Literal["valid", "expiring", "expired", "notYetValid"]
    fingerprint: str


def tenant_row(tenant: Tenant, system_domain: str, report: WorkerReport) -> TenantRow:
    """A tenant with what it had to do by `report`, the sum over all workers."""
    system_host = f"{tenant.id}.{system_domain}"
    gateway = view_gateway(tenant)
    return TenantRow(
        id=tenant.id,
        source=tenant.source,
        hosts=("*." + system_host, system_host, *sorted(tenant.domains)),
        gateway_addresses=gateway.addresses,
        gateway_service=gateway.service,
        gateway_endpoints=gateway.endpoints,
        gateway_protocol=gateway.protocol,
        https_redirect=tenant.https_redirect,
        hsts=tenant.hsts,
        limits=tenant.limits,
        timeouts=tenant.timeouts,
        certificates=tuple(sorted(one.source for one in tenant.certificates)),
        traffic=_traffic(report.tenants.get(tenant.id) or TenantReport()),
    )


def certificate_row(certificate: Certificate, now: float) -> CertificateRow:
    """A certificate as it stands at `now`, Unix time."""
    days_left = math.floor((certificate.not_after - now) / _DAY_SECONDS)
    state: Literal["valid", "expiring", "expired", "notYetValid"] = "valid"
    if now > certificate.not_after:
        state = "expired"
    elif now < certificate.not_before:
        state = "notYetValid"
    elif certificate.not_after - now < EXPIRY_WARNING_SECONDS:
        state = "expiring"
    return CertificateRow(
        tenant=certificate.owner,
        source=certificate.source,
        names=certificate.names,
        not_before=rfc3339(certificate.not_before),
        not_after=rfc3339(certificate.not_after),
        days_left=days_left,
        state=state,
        fingerprint=certificate.fingerprint,
    )


def _traffic(report: TenantReport) -> Traffic:
    return Traffic(
        requests=sum(report.requests.values()),
        errors=sum(count for (status, _), count in report.requests.items() if status >= 500),
        in_flight=report.in_flight,
        received_bytes=report.received_bytes,
        sent_bytes=report.sent_bytes,
        gateway_errors=sum(report.gateway_errors.values()),
    )
