from __future__ import annotations

import msgspec

from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.tenant import GatewayEndpoint, GatewayService, Limits, Tenant
from entryproxy.routing.explain import explain, view_gateway
from tests.routing.snapshots import DOMAIN, NOW, certificate, snapshot, tenant

PLATFORM = certificate(SYSTEM, f"*.{DOMAIN}")
SNAPSHOT = snapshot(
    tenant("t1", "app.customer.com", "bare.customer.com", gateway_protocol="https", gateway_name="gw.test",
           limits=Limits(connections=5), certificates=(certificate("t1", "app.customer.com"),)),
    certificates=(PLATFORM,),
)  # fmt: skip


def test_a_served_host() -> None:
    one = explain(SNAPSHOT, (), "APP.customer.com:8443", NOW)
    assert (one.host, one.outcome, one.reason, one.status) == ("app.customer.com", "served", "", 0)
    assert (one.tenant, one.service, one.domain_type) == ("t1", "", "custom")
    assert one.certificate is not None
    assert one.certificate.covered
    assert one.certificate.not_after == "2027-04-15T08:00:00Z"
    assert one.gateway is not None
    assert one.gateway.addresses == ("t1.test:80",)
    assert one.gateway.server_name == "gw.test"
    assert one.limits == Limits(connections=5)


def test_an_uncovered_system_host_is_served_and_says_so() -> None:
    one = explain(SNAPSHOT, (), f"shop.t1.{DOMAIN}", NOW)
    assert one.outcome == "served"
    assert one.service == "shop"
    assert one.certificate is not None
    assert not one.certificate.covered


def test_a_gateway_that_has_never_served() -> None:
    table = snapshot(
        tenant("t1", provisioning="failed", certificates=(certificate("t1", f"*.t1.{DOMAIN}"),)),
        certificates=(PLATFORM,),
    )
    one = explain(table, (), f"shop.t1.{DOMAIN}", NOW)
    assert (one.outcome, one.provisioning) == ("served", "failed")
    assert explain(SNAPSHOT, (), "app.customer.com", NOW).provisioning == ""


def test_refusals_at_tls_and_at_http() -> None:
    unknown = explain(SNAPSHOT, (), "unknown.org", NOW)
    assert (unknown.outcome, unknown.reason, unknown.certificate) == ("refusedAtTls", "unknown_name", None)
    uncovered = explain(SNAPSHOT, (), "bare.customer.com", NOW)
    assert (uncovered.outcome, uncovered.reason, uncovered.tenant) == ("refusedAtTls", "uncovered_name", "t1")
    nobody = explain(SNAPSHOT, (), f"nobody.{DOMAIN}", NOW)
    assert (nobody.outcome, nobody.reason, nobody.status) == ("refusedAtHttp", "unknown_tenant", 404)


def test_findings_of_the_tenant_and_of_the_host_only() -> None:
    def finding(tenant_id: str, message: str) -> Finding:
        return Finding(severity="error", reason="X", object="O", field="f", message=message, tenant=tenant_id)

    findings = [finding("t1", "mine"), finding("t2", 'lost "app.customer.com"'), finding("t3", "other")]
    assert explain(SNAPSHOT, findings, "app.customer.com", NOW).findings == tuple(findings[:2])
    assert explain(SNAPSHOT, findings, f"t3.{DOMAIN}", NOW).findings == (findings[2],)


def test_pods_that_are_dialled_instead() -> None:
    service = GatewayService("ns", "gateway", "http")
    endpoints = (GatewayEndpoint(address="10.0.0.1:80"), GatewayEndpoint(address="10.0.0.2:80", draining=True))
    view = view_gateway(Tenant(id="t", gateway_addresses=(), gateway_service=service, gateway_endpoints=endpoints))
    assert (view.addresses, view.service, view.endpoints) == ((), "ns/gateway", ("10.0.0.1:80", "10.0.0.2:80"))
    known = view_gateway(Tenant(id="t", gateway_addresses=("a:80",), gateway_service=service))
    assert (known.service, known.endpoints) == ("ns/gateway", None)


def test_no_key_material() -> None:
    encoded = msgspec.json.encode(explain(SNAPSHOT, (), "app.customer.com", NOW))
    assert b"key" not in encoded
    assert b"chain" not in encoded
    assert b"domainType" in encoded
