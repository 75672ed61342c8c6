from __future__ import annotations

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from entryproxy.telemetry.releases import ControllerReport, ReleaseReport, render_releases


def samples(report: ControllerReport) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(render_releases(report).decode())
        for sample in family.samples
    }


def test_a_report_as_prometheus_reads_it() -> None:
    report = ControllerReport(
        is_leader=True,
        releases={"b": ReleaseReport("Failed"), "a": ReleaseReport("Ready", 3)},
        operations=Counter({("upgrade", "failed"): 2}),
        rounds=Counter(unchanged=5),
        waiting=7,
    )
    assert samples(report) == {
        ("entryproxy_release_info", frozenset({("tenant", "a"), ("status", "Ready"), ("revision", "3")})): 1,
        ("entryproxy_release_info", frozenset({("tenant", "b"), ("status", "Failed"), ("revision", "0")})): 1,
        ("entryproxy_controller_leader", frozenset()): 1,
        ("entryproxy_controller_waiting_tenants", frozenset()): 7,
        ("entryproxy_helm_operations_total", frozenset({("operation", "upgrade"), ("result", "failed")})): 2,
        ("entryproxy_controller_rounds_total", frozenset({("result", "unchanged")})): 5,
    }


def test_a_controller_that_stands_by() -> None:
    assert samples(ControllerReport()) == {
        ("entryproxy_controller_leader", frozenset()): 0,
        ("entryproxy_controller_waiting_tenants", frozenset()): 0,
    }
