from __future__ import annotations

import msgspec
import pytest

from entryproxy.telemetry.counters import DURATION_BOUNDS_SECONDS, TenantReport, WorkerReport


def test_requests_are_counted_by_status_and_protocol() -> None:
    report = TenantReport()
    for status in (200, 200, 404):
        report.observe(status, "HTTP/1.1", 0.01, 0.005, 10, 20)
    assert report.requests == {(200, "HTTP/1.1"): 2, (404, "HTTP/1.1"): 1}
    assert (report.received_bytes, report.sent_bytes) == (30, 60)
    assert report.duration_sum == pytest.approx(0.03)
    assert report.first_byte_sum == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        (0.0, 0),
        (0.001, 0),
        (0.0011, 1),
        (300.0, len(DURATION_BOUNDS_SECONDS) - 1),
        (301.0, len(DURATION_BOUNDS_SECONDS)),
    ],
)
def test_bounds_are_inclusive_upper_bounds(seconds: float, bucket: int) -> None:
    report = TenantReport()
    report.observe(200, "HTTP/1.1", seconds, seconds, 0, 0)
    assert report.duration_buckets.index(1) == bucket
    assert report.first_byte_buckets.index(1) == bucket


def test_no_first_byte_is_no_observation() -> None:
    report = TenantReport()
    report.observe(499, "HTTP/1.1", 1.0, None, 0, 0)
    assert sum(report.first_byte_buckets) == 0
    assert sum(report.duration_buckets) == 1


def test_a_worker_counts_rejections_handshakes_and_gateway_errors() -> None:
    report = WorkerReport()
    report.reject("head_timeout")
    report.reject("head_timeout")
    report.handshake("ok")
    report.tenant("tenant1").gateway_error("connect")
    assert report.rejected == {"head_timeout": 2}
    assert report.handshakes == {"ok": 1}
    assert report.tenant("tenant1").gateway_errors == {"connect": 1}


def test_tenants_do_not_share_counters() -> None:
    report = WorkerReport()
    report.tenant("tenant1").observe(200, "HTTP/1.1", 0.01, 0.005, 10, 20)
    assert report.tenant("tenant2") == TenantReport()
    assert report.tenant("tenant1") is report.tenant("tenant1")


def test_a_report_survives_the_channel() -> None:
    report = WorkerReport(client_connections=3, log_lines_dropped=2, uncovered={"tenant1": 1})
    report.tenant("tenant1").observe(200, "HTTP/1.1", 0.01, None, 10, 20)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=WorkerReport) == report


def test_only_tenants_with_something_to_say_travel() -> None:
    report = WorkerReport(client_connections=1)
    for tenant in ("idle", "served", "tunnel", "broken"):
        report.tenant(tenant)
    report.tenant("served").observe(200, "HTTP/1.1", 0.01, 0.005, 10, 20)
    report.tenant("tunnel").in_flight = 1
    report.tenant("broken").gateway_error("connect")
    travelling = report.without_idle()
    assert set(travelling.tenants) == {"served", "tunnel", "broken"}
    assert travelling.tenants["served"] is report.tenant("served")
    assert travelling.client_connections == 1
    assert set(report.tenants) == {"idle", "served", "tunnel", "broken"}


def test_a_removed_tenant_is_forgotten_whatever_still_counts_for_it() -> None:
    report = WorkerReport(uncovered={"gone": 3, "here": 1})
    under_way = report.tenant("gone")
    under_way.in_flight = 1
    report.tenant("here").in_flight = 1
    report.forget("gone")
    report.forget("never seen")
    under_way.in_flight -= 1
    under_way.observe(200, "HTTP/1.1", 0.01, 0.005, 10, 20)
    assert set(report.tenants) == {"here"}
    assert report.uncovered == {"here": 1}
    assert report.tenant("gone") == TenantReport()
