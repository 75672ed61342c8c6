"""A pod for the console to look at: two tenants, three certificates, two workers, some traffic and some trouble."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from entryproxy.console.view import WorkerInfo
from entryproxy.model.certificate import Certificate
from entryproxy.model.finding import Finding
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Limits, Platform, Tenant
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.histogram import Histogram

NOW = 1_800_000_000.0
DAY = 86_400.0
KEY = b"-----BEGIN PRIVATE KEY-----\nnobody may read this\n-----END PRIVATE KEY-----\n"


def certificate(owner: str, name: str, names: tuple[str, ...], days: float, starts_in_days: float = -30) -> Certificate:
    return Certificate(
        owner=owner,
        source=f"higress-system/{name}",
        names=names,
        not_before=NOW + starts_in_days * DAY,
        not_after=NOW + days * DAY,
        fingerprint=f"fingerprint-of-{name}",
        chain_pem=b"-----BEGIN CERTIFICATE-----\n",
        key_pem=PrivateBytes(KEY),
    )


def snapshot(more_tenants: int = 0) -> Snapshot:
    platform = Platform(
        system_domain="aigw.example.com",
        certificates=(certificate("system", "wildcard", ("*.aigw.example.com", "aigw.example.com"), 300),),
    )
    tenants = [
        Tenant(
            id="tenant1",
            source="higress-system/tenant1",
            domains=("*.customer.com", "app.customer.com"),
            gateway_addresses=("higress-gateway.tenant1-gateway.svc.cluster.local:80",),
            limits=Limits(requests_per_second=100),
            certificates=(
                certificate("tenant1", "tenant1-wildcard", ("*.tenant1.aigw.example.com",), 80),
                certificate("tenant1", "customer-com", ("*.customer.com", "app.customer.com"), 9.5),
            ),
        ),
        Tenant(
            id="tenant2",
            source="higress-system/tenant2",
            gateway_addresses=("127.0.0.1:9002", "127.0.0.1:9003"),
            gateway_protocol="https",
            certificates=(certificate("tenant2", "tenant2-wildcard", ("*.tenant2.aigw.example.com",), -2),),
        ),
    ]
    tenants += [Tenant(id=f"more{i:05}", gateway_addresses=("127.0.0.1:80",)) for i in range(more_tenants)]
    return Snapshot.build(platform, tenants, generation=42)


FINDINGS = (
    Finding(
        severity="warning",
        reason="CertificateExpired",
        object="Secret higress-system/tenant2-wildcard",
        field="data.tls.crt",
        message="Expired at 2027-01-13T08:00:00Z; it is still served, because that is better than nothing",
        tenant="tenant2",
        origin="tenants/tenant2.yaml",
    ),
    Finding(
        severity="error",
        reason="UnknownField",
        object="ConfigMap higress-system/tenant3",
        field="tenant.yaml: $.gateway.prot",
        message="Object contains unknown field `<script>alert(1)</script>`; the object is not in force",
        tenant="tenant3",
        origin="tenants/tenant3.yaml",
    ),
)


def report() -> WorkerReport:
    result = WorkerReport(client_connections=17, handshakes={"ok": 30, "unrecognized_name": 2}, log_lines_dropped=1)
    for number in range(1200):
        result.tenant("tenant1").observe(200, "HTTP/1.1", 0.004, 0.003, 210, 5_300)
        if number % 400 == 0:
            result.tenant("tenant2").observe(503, "HTTP/1.1", 2.0, 2.0, 100, 300)
    result.tenant("tenant2").gateway_error("connect")
    result.tenant("tenant1").in_flight = 4
    result.reject("host_unknown")
    result.uncovered["tenant2"] = 3
    return result


@dataclasses.dataclass
class FakePod:
    """A `ControlView` whose every answer a test can set."""

    ready: bool = True
    reason: str = ""
    draining: bool = False
    snapshot: Snapshot | None = dataclasses.field(default_factory=snapshot)
    generation: int = 42
    findings: Sequence[Finding] = FINDINGS
    workers: Sequence[WorkerInfo] = (
        WorkerInfo(slot=1, pid=4712, connected=True, generation=41, restarts=2),
        WorkerInfo(slot=0, pid=4711, connected=True, generation=42),
    )
    propagation: Histogram = dataclasses.field(default_factory=Histogram)
    started_at: float = NOW - 3 * DAY - 7_500
    configured_at: float | None = NOW - 60
    source_error: str = ""
    all_reports: Sequence[WorkerReport] = dataclasses.field(default_factory=lambda: (report(), report()))

    async def reports(self) -> Sequence[WorkerReport]:
        return self.all_reports
