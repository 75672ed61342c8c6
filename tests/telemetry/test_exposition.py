from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from entryproxy.model.certificate import Certificate
from entryproxy.model.finding import Finding
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.exposition import render
from entryproxy.telemetry.histogram import Histogram
from entryproxy.telemetry.scrape import Scrape

KEY = b"nobody may read this"
CONTRACT = {
    "entryproxy_requests_total": ("counter", {"tenant", "code", "protocol"}),
    "entryproxy_request_duration_seconds": ("histogram", {"tenant"}),
    "entryproxy_time_to_first_byte_seconds": ("histogram", {"tenant"}),
    "entryproxy_requests_in_flight": ("gauge", {"tenant"}),
    "entryproxy_received_bytes_total": ("counter", {"tenant"}),
    "entryproxy_sent_bytes_total": ("counter", {"tenant"}),
    "entryproxy_gateway_errors_total": ("counter", {"tenant", "reason"}),
    "entryproxy_rejected_requests_total": ("counter", {"reason"}),
    "entryproxy_client_connections": ("gauge", set()),
    "entryproxy_tls_handshakes_total": ("counter", {"result"}),
    "entryproxy_certificate_not_after_seconds": ("gauge", {"tenant", "name"}),
    "entryproxy_tenants": ("gauge", set()),
    "entryproxy_config_generation": ("gauge", set()),
    "entryproxy_config_rejected_objects": ("gauge", {"kind"}),
    "entryproxy_config_propagation_seconds": ("histogram", set()),
}


def certificate(owner: str, source: str, not_after: float) -> Certificate:
    return Certificate(
        owner=owner,
        source=source,
        names=("*.example.com",),
        not_before=0.0,
        not_after=not_after,
        fingerprint="f",
        chain_pem=b"",
        key_pem=PrivateBytes(KEY),
    )


def scrape() -> Scrape:
    report = WorkerReport(
        client_connections=7,
        log_lines_dropped=4,
        rejected={"host_unknown": 2},
        handshakes={"ok": 9},
        uncovered={"tenant1": 5},
    )
    for duration in (0.002, 0.002, 400.0):
        report.tenant("tenant1").observe(200, "HTTP/1.1", duration, duration / 2, 10, 20)
    report.tenant("tenant1").gateway_error("connect")
    report.tenant("removed").observe(404, "HTTP/1.1", 0.1, 0.1, 1, 1)
    report.tenant("unknown").observe(404, "HTTP/1.1", 0.1, 0.1, 1, 1)
    propagation = Histogram()
    propagation.observe(0.03)
    platform = Platform(system_domain="example.com", certificates=(certificate("system", "ns/wildcard", 2e9),))
    tenant = Tenant(
        id="tenant1", gateway_addresses=("a:80",), certificates=(certificate("tenant1", "ns/tenant1-tls", 1.9e9),)
    )
    return Scrape(
        reports=(report,),
        snapshot=Snapshot.build(platform, [tenant], generation=3),
        generation=3,
        findings=(),
        propagation=propagation,
        workers=2,
        worker_restarts=1,
        configured_at=1.8e9,
        source_readable=True,
    )


class Parsed:
    """A scrape read back."""

    def __init__(self, what: Scrape) -> None:
        self.text = render(what).decode()
        self.families = list(text_string_to_metric_families(self.text))
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, /, **labels: str) -> float | None:
        return self.samples.get((name, frozenset(labels.items())))

    def labels_of(self, name: str) -> list[Mapping[str, str]]:
        return [dict(labels) for found, labels in self.samples if found == name]


def test_names_types_and_labels_are_those_of_the_contract() -> None:
    found = {}
    for family in Parsed(scrape()).families:
        labels = {key for sample in family.samples for key in sample.labels} - {"le"}
        found[family.name + ("_total" if family.type == "counter" else "")] = (family.type, labels)
    assert {name: found.get(name) for name in CONTRACT} | {
        "entryproxy_config_rejected_objects": ("gauge", {"kind"})
    } == CONTRACT
    assert all(name.startswith("entryproxy_") for name in found)


def test_every_family_explains_itself() -> None:
    assert all(family.documentation.endswith(".") for family in Parsed(scrape()).families)


def test_values_arrive() -> None:
    parsed = Parsed(scrape())
    assert parsed.value("entryproxy_requests_total", tenant="tenant1", code="200", protocol="HTTP/1.1") == 3
    assert parsed.value("entryproxy_gateway_errors_total", tenant="tenant1", reason="connect") == 1
    assert parsed.value("entryproxy_received_bytes_total", tenant="tenant1") == 30
    assert parsed.value("entryproxy_sent_bytes_total", tenant="tenant1") == 60
    assert parsed.value("entryproxy_rejected_requests_total", reason="host_unknown") == 2
    assert parsed.value("entryproxy_tls_handshakes_total", result="ok") == 9
    assert parsed.value("entryproxy_client_connections") == 7
    assert parsed.value("entryproxy_tenants") == 1
    assert parsed.value("entryproxy_config_generation") == 3
    assert parsed.value("entryproxy_log_lines_dropped_total") == 4
    assert parsed.value("entryproxy_uncovered_handshakes_total", tenant="tenant1") == 5
    assert parsed.value("entryproxy_workers") == 2
    assert parsed.value("entryproxy_worker_restarts_total") == 1
    assert parsed.value("entryproxy_config_last_success_timestamp_seconds") == 1.8e9
    assert parsed.value("entryproxy_config_source_up") == 1
    assert parsed.value("entryproxy_certificate_not_after_seconds", tenant="system", name="wildcard") == 2e9
    assert parsed.value("entryproxy_certificate_not_after_seconds", tenant="tenant1", name="tenant1-tls") == 1.9e9


def test_histograms_are_cumulative_and_end_in_infinity() -> None:
    parsed = Parsed(scrape())
    name = "entryproxy_request_duration_seconds"
    assert parsed.value(name + "_bucket", tenant="tenant1", le="0.001") == 0
    assert parsed.value(name + "_bucket", tenant="tenant1", le="0.0025") == 2
    assert parsed.value(name + "_bucket", tenant="tenant1", le="300.0") == 2
    assert parsed.value(name + "_bucket", tenant="tenant1", le="+Inf") == 3
    assert parsed.value(name + "_count", tenant="tenant1") == 3
    assert parsed.value(name + "_sum", tenant="tenant1") == 400.004
    assert parsed.value("entryproxy_config_propagation_seconds_bucket", le="0.05") == 1
    assert parsed.value("entryproxy_config_propagation_seconds_bucket", le="+Inf") == 1


def test_an_idle_tenant_has_counters_but_no_empty_histogram() -> None:
    report = WorkerReport()
    report.tenant("tenant1").in_flight = 1
    parsed = Parsed(dataclasses.replace(scrape(), reports=(report,)))
    assert parsed.value("entryproxy_requests_in_flight", tenant="tenant1") == 1
    assert parsed.value("entryproxy_sent_bytes_total", tenant="tenant1") == 0
    assert parsed.labels_of("entryproxy_request_duration_seconds_bucket") == []


def test_a_registered_tenant_that_no_worker_speaks_of_is_at_zero() -> None:
    parsed = Parsed(dataclasses.replace(scrape(), reports=()))
    for name in ("requests_in_flight", "received_bytes_total", "sent_bytes_total"):
        assert parsed.labels_of(f"entryproxy_{name}") == [{"tenant": "tenant1"}]
        assert parsed.value(f"entryproxy_{name}", tenant="tenant1") == 0
    assert parsed.labels_of("entryproxy_requests_total") == []
    assert parsed.labels_of("entryproxy_request_duration_seconds_bucket") == []


def test_only_registered_tenants_and_unknown_are_labels() -> None:
    parsed = Parsed(scrape())
    tenants = {dict(labels).get("tenant") for _, labels in parsed.samples} - {None}
    assert tenants == {"tenant1", "system", "unknown"}
    assert parsed.value("entryproxy_requests_total", tenant="unknown", code="404", protocol="HTTP/1.1") == 1


def test_a_tenant_that_is_removed_and_comes_back_makes_nobody_else_s_counters_go_down() -> None:
    registered, unknown = scrape(), "entryproxy_requests_total"
    removed = dataclasses.replace(registered, snapshot=Snapshot.build(Platform(system_domain="example.com")))
    values = [
        [Parsed(what).value(unknown, tenant=tenant, code=code, protocol="HTTP/1.1") for what in (registered, removed)]
        for tenant, code in (("unknown", "404"), ("tenant1", "200"))
    ]
    assert values == [[1, 1], [3, None]]


def test_rejected_objects_are_counted_once_each() -> None:
    def finding(severity: str, reference: str, field: str) -> Finding:
        return Finding(severity=severity, reason="R", object=reference, field=field, message="m")  # type: ignore[arg-type]

    findings = (
        finding("error", "ConfigMap ns/a", "x"),
        finding("error", "ConfigMap ns/a", "y"),
        finding("error", "ConfigMap ns/b", "x"),
        finding("warning", "Secret ns/c", "x"),
    )
    parsed = Parsed(dataclasses.replace(scrape(), findings=findings))
    assert parsed.value("entryproxy_config_rejected_objects", kind="ConfigMap") == 2
    assert parsed.value("entryproxy_config_rejected_objects", kind="Secret") == 0


def test_before_the_first_configuration() -> None:
    what = dataclasses.replace(
        scrape(), snapshot=None, configured_at=None, generation=0, source_readable=False, reports=()
    )
    parsed = Parsed(what)
    assert parsed.value("entryproxy_tenants") == 0
    assert parsed.value("entryproxy_config_source_up") == 0
    assert parsed.value("entryproxy_config_last_success_timestamp_seconds") is None
    assert parsed.labels_of("entryproxy_certificate_not_after_seconds") == []


def test_secrets_of_one_name_in_two_namespaces_make_one_series() -> None:
    tenant = Tenant(
        id="tenant1",
        gateway_addresses=("a:80",),
        certificates=(certificate("tenant1", "one/tls", 1.9e9), certificate("tenant1", "two/tls", 1.8e9)),
    )
    snapshot = Snapshot.build(Platform(system_domain="example.com"), [tenant])
    parsed = Parsed(dataclasses.replace(scrape(), snapshot=snapshot))
    assert parsed.text.count("entryproxy_certificate_not_after_seconds{") == 1
    assert parsed.value("entryproxy_certificate_not_after_seconds", tenant="tenant1", name="tls") == 1.8e9


def test_no_key_material() -> None:
    assert KEY not in render(scrape())
