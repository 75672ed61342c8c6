"""Per-worker counters: plain ints that the request path adds to, turned into metrics only when somebody scrapes.

A worker reports a `WorkerReport`; the control process sums the reports of all workers, dead ones included.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

DURATION_BOUNDS_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
_BUCKETS = len(DURATION_BOUNDS_SECONDS) + 1
UNKNOWN_TENANT = "unknown"


class TenantReport(msgspec.Struct, kw_only=True):
    """One tenant's counters of one worker.

    requests: (status, protocol) → count; histograms: a count per bucket, +Inf last.
    """

    requests: dict[tuple[int, str], int] = {}
    in_flight: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    duration_buckets: list[int] = msgspec.field(default_factory=lambda: [0] * _BUCKETS)
    duration_sum: float = 0.0
    first_byte_buckets: list[int] = msgspec.field(default_factory=lambda: [0] * _BUCKETS)
    first_byte_sum: float = 0.0
    gateway_errors: dict[str, int] = {}

    def observe(
        self, status: int, protocol: str, duration: float, first_byte: float | None, received: int, sent: int
    ) -> None:
        """Count one finished request; durations in seconds, first_byte None when no answer byte was sent."""
        key = (status, protocol)
        requests = self.requests
        requests[key] = requests.get(key, 0) + 1
        self.received_bytes += received
        self.sent_bytes += sent
        bucket = bisect_left(DURATION_BOUNDS_SECONDS, duration)
        self.duration_buckets[bucket] += 1
        self.duration_sum += duration
        if first_byte is not None:
            if first_byte != duration:
                bucket = bisect_left(DURATION_BOUNDS_SECONDS, first_byte)
            self.first_byte_buckets[bucket] += 1
            self.first_byte_sum += first_byte

    def gateway_error(self, reason: str) -> None:
        """Count one failure of this tenant's gateway."""
        self.gateway_errors[reason] = self.gateway_errors.get(reason, 0) + 1


class WorkerReport(msgspec.Struct, kw_only=True):
    """All counters of one worker. Gauges: in_flight of tenants, client_connections; everything else only grows."""

    tenants: dict[str, TenantReport] = {}
    rejected: dict[str, int] = {}  # reason → requests or connections turned away by the entry
    handshakes: dict[str, int] = {}  # result → TLS handshakes
    client_connections: int = 0
    log_lines_dropped: int = 0
    uncovered: dict[str, int] = {}  # tenant → handshakes for a system host that no certificate covers

    def tenant(self, tenant_id: str) -> TenantReport:
        """The counters of one tenant, made at first use."""
        report = self.tenants.get(tenant_id)
        if report is None:
            report = self.tenants[tenant_id] = TenantReport()
        return report

    def forget(self, tenant_id: str) -> None:
        """The tenant is removed. What is under way counts on where nobody looks; if it comes back, it begins anew."""
        self.tenants.pop(tenant_id, None)
        self.uncovered.pop(tenant_id, None)

    def without_idle(self) -> WorkerReport:
        """What a scrape needs: of thousands of tenants mostly few have anything to say, and to encode one takes longer
        than to look at it. Shares the counters with this report."""
        busy = {key: one for key, one in self.tenants.items() if one.requests or one.in_flight or one.gateway_errors}
        return msgspec.structs.replace(self, tenants=busy)

    def reject(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def handshake(self, result: str) -> None:
        self.handshakes[result] = self.handshakes.get(result, 0) + 1
