"""What the controller did and where the releases stand, as Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class ReleaseReport(msgspec.Struct, frozen=True):
    """Where a tenant's release stands: phase in one word, the deployed revision, 0 for none."""

    phase: str
    revision: int = 0


class ControllerReport(msgspec.Struct, kw_only=True):
    """Counted from the start of the process. releases: by tenant. operations: runs of Helm by operation and result,
    ("upgrade", "failed"). rounds: looks at a tenant, by how they ended. waiting: tenants that are due and wait for a
    free hand."""

    is_leader: bool = False
    releases: dict[str, ReleaseReport] = msgspec.field(default_factory=dict)
    operations: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    rounds: Counter[str] = msgspec.field(default_factory=Counter)
    waiting: int = 0


def render_releases(report: ControllerReport) -> bytes:
    """The answer to a scrape, of `exposition.CONTENT_TYPE`."""
    return generate_latest(_ReportCollector(report))


class _ReportCollector(Collector):
    def __init__(self, report: ControllerReport) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report
        yield _releases(report.releases)
        yield GaugeMetricFamily(
            "entryproxy_controller_leader", "1 while this controller leads, else 0.", value=int(report.is_leader)
        )
        yield GaugeMetricFamily(
            "entryproxy_controller_waiting_tenants",
            "Tenants that are due and wait for a free hand.",
            value=report.waiting,
        )
        operations = CounterMetricFamily(
            "entryproxy_helm_operations_total",
            "Runs of Helm that change a release, by operation and result.",
            labels=["operation", "result"],
        )
        for labels, count in sorted(report.operations.items()):
            operations.add_metric(labels, count)
        yield operations
        rounds = CounterMetricFamily(
            "entryproxy_controller_rounds_total", "Looks at a tenant, by how they ended.", labels=["result"]
        )
        for result, count in sorted(report.rounds.items()):
            rounds.add_metric([result], count)
        yield rounds


def _releases(releases: Mapping[str, ReleaseReport]) -> Metric:
    family = GaugeMetricFamily(
        "entryproxy_release_info",
        "1 for each tenant's release: its status in one word, and the revision that is deployed.",
        labels=["tenant", "status", "revision"],
    )
    for tenant, one in sorted(releases.items()):
        family.add_metric([tenant, one.phase, str(one.revision)], 1)
    return family
