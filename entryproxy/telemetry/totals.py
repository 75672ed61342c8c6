"""The counters of all workers of a pod, as one.

A counter must never go down as long as the pod lives (Prometheus would take it for a restart), so what a worker last
reported stays in the sum while it is slow to answer, and after it has ended. The series of a removed tenant end with
it; if it comes back, they begin at 0, which is such a restart, of this tenant alone.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable
from typing import TypeVar

import msgspec

from entryproxy.model.hostname import SYSTEM
from entryproxy.telemetry.counters import UNKNOWN_TENANT, TenantReport, WorkerReport

_NO_TENANTS = (UNKNOWN_TENANT, SYSTEM)

K = TypeVar("K", bound=Hashable)


class Totals:
    """Keeps the latest report of every worker. Reports are never changed here, so another thread may read them.

    A worker's key must be its own for good: a pid, or a slot with the number of its start.
    """

    def __init__(self) -> None:
        self._ended = WorkerReport()
        self._latest: dict[Hashable, WorkerReport] = {}

    def update(self, worker: Hashable, report: WorkerReport) -> None:
        """A live worker's newest report; the caller no longer changes it."""
        self._latest[worker] = report

    def retire(self, worker: Hashable) -> None:
        """The worker has ended: its counts stay, what it had open is gone. An unknown worker changes nothing."""
        report = self._latest.pop(worker, None)
        if report is not None:
            self._ended = total_of((self._ended, _counters_only(report)))

    def keep_only(self, registered: Container[str]) -> None:
        """Free what ended workers counted for tenants that are removed; those that live forget them themselves."""
        ended = self._ended
        tenants = {key: one for key, one in ended.tenants.items() if _has_series(key, registered)}
        uncovered = {key: count for key, count in ended.uncovered.items() if _has_series(key, registered)}
        if len(tenants) < len(ended.tenants) or len(uncovered) < len(ended.uncovered):
            self._ended = msgspec.structs.replace(ended, tenants=tenants, uncovered=uncovered)

    def reports(self) -> list[WorkerReport]:
        """One report for all workers that have ended, then the latest one of each that lives; for `total_of`."""
        return [self._ended, *self._latest.values()]


def total_of(reports: Iterable[WorkerReport], registered: Container[str] | None = None) -> WorkerReport:
    """The sum as a new report.

    registered: with it, what belongs to other tenants (removed meanwhile) is left out; "unknown" and "system" are none.
    """
    total = WorkerReport()
    for report in reports:
        total.client_connections += report.client_connections
        total.log_lines_dropped += report.log_lines_dropped
        _add_counts(total.rejected, report.rejected)
        _add_counts(total.handshakes, report.handshakes)
        for tenant_id, tenant in report.tenants.items():
            if registered is None or _has_series(tenant_id, registered):
                _add_tenant(total.tenant(tenant_id), tenant)
        for tenant_id, count in report.uncovered.items():
            if registered is None or _has_series(tenant_id, registered):
                _add_counts(total.uncovered, {tenant_id: count})
    return total


def _has_series(tenant_id: str, registered: Container[str]) -> bool:
    return tenant_id in registered or tenant_id in _NO_TENANTS


def _add_tenant(total: TenantReport, report: TenantReport) -> None:
    total.in_flight += report.in_flight
    total.received_bytes += report.received_bytes
    total.sent_bytes += report.sent_bytes
    total.duration_sum += report.duration_sum
    total.first_byte_sum += report.first_byte_sum
    total.duration_buckets = [a + b for a, b in zip(total.duration_buckets, report.duration_buckets, strict=True)]
    total.first_byte_buckets = [a + b for a, b in zip(total.first_byte_buckets, report.first_byte_buckets, strict=True)]
    _add_counts(total.requests, report.requests)
    _add_counts(total.gateway_errors, report.gateway_errors)


def _add_counts(total: dict[K, int], counts: dict[K, int]) -> None:
    for key, count in counts.items():
        total[key] = total.get(key, 0) + count


def _counters_only(report: WorkerReport) -> WorkerReport:
    tenants = {key: msgspec.structs.replace(tenant, in_flight=0) for key, tenant in report.tenants.items()}
    return msgspec.structs.replace(report, client_connections=0, tenants=tenants)
