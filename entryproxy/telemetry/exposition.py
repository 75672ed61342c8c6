"""All metrics of docs/contract.md in Prometheus' text format; the only user of prometheus-client.

Nothing is counted here. A scrape takes the workers' reports and the control process's state of that moment and writes
them down. With thousands of tenants that takes a while, so `render` is made to run in another thread: it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Snapshot
from entryproxy.routing.table import all_certificates
from entryproxy.telemetry.counters import DURATION_BOUNDS_SECONDS, TenantReport, WorkerReport
from entryproxy.telemetry.scrape import Scrape
from entryproxy.telemetry.totals import total_of

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_IDLE = TenantReport()
"""Of a tenant that no worker speaks of: its series begin at 0, so that its first request is an increase."""


def render(scrape: Scrape) -> bytes:
    """The answer to a scrape, of type CONTENT_TYPE."""
    return generate_latest(_ScrapeCollector(scrape))


class _ScrapeCollector(Collector):
    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterator[Metric]:
        tenants = self._scrape.snapshot.tenants if self._scrape.snapshot else ()
        report = total_of(self._scrape.reports, registered=tenants)
        yield from _of_tenants(dict.fromkeys(tenants, _IDLE) | report.tenants)
        yield from _of_workers(report, self._scrape)
        yield from _of_configuration(self._scrape)


def _of_tenants(tenants: dict[str, TenantReport]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "entryproxy_requests_total",
        "Requests answered, by tenant, status code and protocol.",
        labels=["tenant", "code", "protocol"],
    )
    errors = CounterMetricFamily(
        "entryproxy_gateway_errors_total",
        "Failures of tenants' gateways, by reason.",
        labels=["tenant", "reason"],
    )
    for tenant_id, report in sorted(tenants.items()):
        for (status, protocol), count in sorted(report.requests.items()):
            requests.add_metric([tenant_id, str(status), protocol], count)
        for reason, count in sorted(report.gateway_errors.items()):
            errors.add_metric([tenant_id, reason], count)
    yield requests
    yield errors
    yield _tenant_histogram(
        "entryproxy_request_duration_seconds",
        "Time from the end of a request's head to the last byte of its answer.",
        ((key, one.duration_buckets, one.duration_sum) for key, one in sorted(tenants.items())),
    )
    yield _tenant_histogram(
        "entryproxy_time_to_first_byte_seconds",
        "Time from the end of a request's head to the first byte of its answer.",
        ((key, one.first_byte_buckets, one.first_byte_sum) for key, one in sorted(tenants.items())),
    )
    in_flight = GaugeMetricFamily(
        "entryproxy_requests_in_flight", "Requests being served now, tunnels included.", labels=["tenant"]
    )
    received = CounterMetricFamily(
        "entryproxy_received_bytes_total", "Bytes received from clients, by tenant.", labels=["tenant"]
    )
    sent = CounterMetricFamily("entryproxy_sent_bytes_total", "Bytes sent to clients, by tenant.", labels=["tenant"])
    yield _tenant_values(in_flight, tenants, lambda one: one.in_flight)
    yield _tenant_values(received, tenants, lambda one: one.received_bytes)
    yield _tenant_values(sent, tenants, lambda one: one.sent_bytes)


def _of_workers(report: WorkerReport, scrape: Scrape) -> Iterator[Metric]:
    yield _counter_by(
        "entryproxy_rejected_requests_total",
        "Requests and connections that the entry itself turned away, by reason.",
        "reason",
        report.rejected,
    )
    yield _counter_by(
        "entryproxy_tls_handshakes_total", "TLS handshakes with clients, by result.", "result", report.handshakes
    )
    yield _counter_by(
        "entryproxy_uncovered_handshakes_total",
        "TLS handshakes for a system host that no certificate covers, by tenant.",
        "tenant",
        report.uncovered,
    )
    yield GaugeMetricFamily(
        "entryproxy_client_connections", "Connections of clients open now.", value=report.client_connections
    )
    yield CounterMetricFamily(
        "entryproxy_log_lines_dropped_total",
        "Access log lines that were dropped because nobody read them in time.",
        value=report.log_lines_dropped,
    )
    yield GaugeMetricFamily("entryproxy_workers", "Worker processes connected now.", value=scrape.workers)
    yield CounterMetricFamily(
        "entryproxy_worker_restarts_total", "Worker processes that were replaced.", value=scrape.worker_restarts
    )


def _of_configuration(scrape: Scrape) -> Iterator[Metric]:
    tenants = len(scrape.snapshot.tenants) if scrape.snapshot else 0
    yield GaugeMetricFamily("entryproxy_tenants", "Tenants in force.", value=tenants)
    yield GaugeMetricFamily(
        "entryproxy_config_generation", "Number of the configuration in force.", value=scrape.generation
    )
    rejected = GaugeMetricFamily(
        "entryproxy_config_rejected_objects", "Objects not in force as written, by kind.", labels=["kind"]
    )
    for kind, count in sorted(_rejected_objects(scrape.findings).items()):
        rejected.add_metric([kind], count)
    yield rejected
    yield HistogramMetricFamily(
        "entryproxy_config_propagation_seconds",
        "Time from seeing a change to having it in force in every worker.",
        buckets=_cumulative(scrape.propagation.bounds, scrape.propagation.counts),
        sum_value=scrape.propagation.total,
    )
    if scrape.configured_at is not None:
        yield GaugeMetricFamily(
            "entryproxy_config_last_success_timestamp_seconds",
            "When the configuration in force last agreed with its source, in Unix time.",
            value=scrape.configured_at,
        )
    yield GaugeMetricFamily(
        "entryproxy_config_source_up",
        "1 while the configuration's source can be read, 0 while the last good configuration is served.",
        value=int(scrape.source_readable),
    )
    yield _certificates(scrape.snapshot)


def _certificates(snapshot: Snapshot | None) -> Metric:
    family = GaugeMetricFamily(
        "entryproxy_certificate_not_after_seconds",
        "When a certificate expires, in Unix time; name is its Secret's.",
        labels=["tenant", "name"],
    )
    expiry: dict[tuple[str, str], float] = {}
    for certificate in all_certificates(snapshot) if snapshot else ():
        key = (certificate.owner, certificate.source.rpartition("/")[2])
        # The same name in two namespaces of a folder is one series: the one that needs attention first.
        expiry[key] = min(certificate.not_after, expiry.get(key, certificate.not_after))
    for (owner, name), not_after in sorted(expiry.items()):
        family.add_metric([owner, name], not_after)
    return family


def _rejected_objects(findings: Iterable[Finding]) -> dict[str, int]:
    """Objects and files by kind, whatever else there are errors about: a source that is out of reach has a metric of
    its own."""
    counts = dict.fromkeys(("ConfigMap", "EndpointSlice", "File", "Secret"), 0)
    for reference in {finding.object for finding in findings if finding.severity == "error"}:
        kind = reference.partition(" ")[0]
        if kind in counts:
            counts[kind] += 1
    return counts


def _counter_by(name: str, documentation: str, label: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _tenant_values(
    family: CounterMetricFamily | GaugeMetricFamily,
    tenants: dict[str, TenantReport],
    value_of: Callable[[TenantReport], int],
) -> Metric:
    for tenant_id, report in sorted(tenants.items()):
        family.add_metric([tenant_id], value_of(report))
    return family


def _tenant_histogram(name: str, documentation: str, rows: Iterable[tuple[str, list[int], float]]) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=["tenant"])
    for tenant_id, counts, total in rows:
        if any(counts):  # with thousands of idle tenants, empty histograms would be most of the answer
            family.add_metric([tenant_id], _cumulative(DURATION_BOUNDS_SECONDS, counts), total)
    return family


def _cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    return list(zip([*map(str, bounds), "+Inf"], accumulate(counts), strict=True))
