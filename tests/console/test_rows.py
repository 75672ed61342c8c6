from __future__ import annotations

import pytest

from entryproxy.console.rows import certificate_row, tenant_row
from entryproxy.telemetry.counters import WorkerReport
from tests.console import pod


@pytest.mark.parametrize(
    ("ends_in_days", "starts_in_days", "state", "days_left"),
    [
        (90, -1, "valid", 90),
        (21, -1, "valid", 21),
        (20.9, -1, "expiring", 20),
        (0.5, -1, "expiring", 0),
        (-0.5, -90, "expired", -1),
        (90, 1, "notYetValid", 90),
    ],
)
def test_state_of_a_certificate(ends_in_days: float, starts_in_days: float, state: str, days_left: int) -> None:
    row = certificate_row(pod.certificate("tenant1", "tls", ("a.b",), ends_in_days, starts_in_days), pod.NOW)
    assert (row.state, row.days_left) == (state, days_left)


def test_a_tenant_without_traffic_counts_nothing() -> None:
    row = tenant_row(pod.snapshot().tenants["tenant1"], "aigw.example.com", WorkerReport())
    assert row.traffic.requests == row.traffic.errors == row.traffic.in_flight == row.traffic.sent_bytes == 0


def test_hosts_are_the_system_hosts_and_the_custom_domains() -> None:
    row = tenant_row(pod.snapshot().tenants["tenant1"], "aigw.example.com", WorkerReport())
    assert row.hosts == (
        "*.tenant1.aigw.example.com",
        "tenant1.aigw.example.com",
        "*.customer.com",
        "app.customer.com",
    )


def test_errors_are_answers_with_5xx() -> None:
    report = WorkerReport()
    for status in (200, 404, 499, 500, 503):
        report.tenant("tenant2").observe(status, "HTTP/1.1", 0.1, 0.1, 1, 1)
    row = tenant_row(pod.snapshot().tenants["tenant2"], "aigw.example.com", report)
    assert (row.traffic.requests, row.traffic.errors) == (5, 2)
