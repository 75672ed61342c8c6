from __future__ import annotations

import msgspec

from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.totals import Totals, total_of


def report(requests: int = 1, tenant: str = "tenant1") -> WorkerReport:
    result = WorkerReport(
        client_connections=2,
        log_lines_dropped=1,
        rejected={"host_unknown": 1},
        handshakes={"ok": 5},
        uncovered={tenant: 1},
    )
    for _ in range(requests):
        result.tenant(tenant).observe(200, "HTTP/1.1", 0.01, 0.005, 10, 20)
    result.tenant(tenant).gateway_error("connect")
    result.tenant(tenant).in_flight = 3
    return result


def test_everything_is_summed() -> None:
    total = total_of([report(2), report(3)])
    tenant = total.tenants["tenant1"]
    assert tenant.requests == {(200, "HTTP/1.1"): 5}
    assert sum(tenant.duration_buckets) == sum(tenant.first_byte_buckets) == 5
    assert (tenant.received_bytes, tenant.sent_bytes, tenant.in_flight) == (50, 100, 6)
    assert tenant.gateway_errors == {"connect": 2}
    assert (total.client_connections, total.log_lines_dropped) == (4, 2)
    assert (total.rejected, total.handshakes, total.uncovered) == ({"host_unknown": 2}, {"ok": 10}, {"tenant1": 2})


def test_reports_stay_as_they_are() -> None:
    one, other = report(2), report(3)
    before = msgspec.msgpack.encode((one, other))
    total = total_of([one, other])
    total.tenants["tenant1"].duration_buckets[0] += 1
    assert msgspec.msgpack.encode((one, other)) == before


def test_tenants_that_are_not_registered_count_for_nobody() -> None:
    """Under another name they would make that one's counters go down when they come back."""
    reports = [report(1, "tenant1"), report(2, "gone"), report(4, "unknown"), report(8, "system")]
    total = total_of(reports, registered={"tenant1"})
    assert {key: one.requests[200, "HTTP/1.1"] for key, one in total.tenants.items()} == {
        "tenant1": 1,
        "unknown": 4,
        "system": 8,
    }
    assert total.uncovered == {"tenant1": 1, "unknown": 1, "system": 1}
    assert total.handshakes == {"ok": 20}


def test_what_ended_workers_counted_for_tenants_that_are_gone_is_freed() -> None:
    totals = Totals()
    for worker, tenant in enumerate(["gone", "tenant1", "gone", "unknown"]):
        totals.update(worker, report(2, tenant))
        totals.retire(worker)
    before = totals.reports()
    totals.keep_only({"tenant1"})
    (ended,) = totals.reports()
    assert set(ended.tenants) == set(ended.uncovered) == {"tenant1", "unknown"}
    assert ended.tenants["tenant1"].requests == {(200, "HTTP/1.1"): 2}
    assert (ended.handshakes, ended.log_lines_dropped) == ({"ok": 20}, 4)
    assert "gone" in before[0].tenants  # what somebody reads in another thread stays as it is
    totals.keep_only({"tenant1"})
    assert totals.reports()[0] is ended


def test_a_tenant_that_comes_back_begins_anew() -> None:
    totals = Totals()
    totals.update(1, report(5))
    totals.retire(1)
    totals.keep_only(set())
    totals.update(2, report(1))
    assert total_of(totals.reports(), {"tenant1"}).tenants["tenant1"].requests == {(200, "HTTP/1.1"): 1}


def test_the_latest_report_of_a_worker_replaces_its_earlier_one() -> None:
    totals = Totals()
    totals.update(11, report(1))
    totals.update(12, report(5))
    totals.update(11, report(2))
    assert total_of(totals.reports()).tenants["tenant1"].requests == {(200, "HTTP/1.1"): 7}


def test_a_worker_that_ended_leaves_its_counts_but_nothing_open() -> None:
    totals = Totals()
    totals.update(11, report(2))
    totals.update(12, report(3))
    before = total_of(totals.reports())
    totals.retire(11)
    totals.retire(99)
    after = total_of(totals.reports())
    assert after.tenants["tenant1"].requests == before.tenants["tenant1"].requests
    assert after.handshakes == before.handshakes
    assert (after.client_connections, after.tenants["tenant1"].in_flight) == (2, 3)


def test_a_replacement_counts_on_top_of_those_that_ended() -> None:
    totals = Totals()
    for pid in (11, 12, 13):
        totals.update(pid, report(2))
        totals.retire(pid)
    totals.update(14, report(1))
    assert total_of(totals.reports()).tenants["tenant1"].requests == {(200, "HTTP/1.1"): 7}


def test_reports_taken_for_another_thread_stay_as_they_were() -> None:
    totals = Totals()
    totals.update(11, report(2))
    taken = totals.reports()
    totals.retire(11)
    totals.update(12, report(5))
    assert total_of(taken).tenants["tenant1"].requests == {(200, "HTTP/1.1"): 2}
