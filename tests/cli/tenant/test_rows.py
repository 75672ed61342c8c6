from __future__ import annotations

import pytest

from entryproxy.cli.judging import Judgement, compile_reading
from entryproxy.cli.tenant.rows import service_of, tenant_lines, tenant_sheet
from entryproxy.cli.tenant.status import Told
from entryproxy.model.objects import LabelledEndpointSlice, LabelledObject, SliceEndpoint, SlicePort
from entryproxy.model.reading import Reading
from entryproxy.model.status import TenantStatus
from entryproxy.model.tenant import GatewayService, Tenant
from tests.compiler.objects import config, secret, settings

CREATED = "2026-01-01T00:00:00Z"
READY, REMOVING = TenantStatus(phase="Ready", revision=2), TenantStatus(phase="Removing")


def judged(*objects: LabelledObject) -> Judgement:
    return compile_reading(Reading(changed=objects), endpoints_known=True)


def slices(*addresses: str) -> LabelledEndpointSlice:
    return LabelledEndpointSlice(
        namespace="t1-gateway",
        name="higress-gateway-x",
        tenant="t1",
        created="2026-01-01T00:00:00Z",
        service="higress-gateway",
        ports=(SlicePort("http", 80),),
        endpoints=tuple(SliceEndpoint(address=one) for one in addresses),
    )


def test_states() -> None:
    judgement = judged(
        settings(),
        config("good"),
        config("bad", {"domains": ["nolabel"]}),
        config("Not_An_Id"),
        secret("orphan", "a.example"),
    )
    lines = tenant_lines(judgement, {})
    assert [(one.id, one.state, one.errors) for one in lines] == [
        ("Not_An_Id", "Rejected", 1),
        ("bad", "Rejected", 1),
        ("good", "InForce", 0),
        ("orphan", "Undeclared", 1),
    ]
    assert [one.source for one in lines[1:]] == ["higress-system/bad", "higress-system/good", ""]
    assert lines[2].created == "2026-01-01T00:00:00Z"


def test_slices_alone_are_of_a_tenant_of_somebody_else() -> None:
    judgement = judged(settings(), config("t2"), slices("10.0.0.1"))
    assert [one.id for one in tenant_lines(judgement, {})] == ["t2"]
    assert tenant_sheet("t1", judgement, {}) is None


def test_the_config_map_in_force_is_the_one_that_is_named() -> None:
    judgement = judged(
        settings(),
        config("t1", {"domains": ["nolabel"]}, name="first", created="2026-01-01T00:00:00Z"),
        config("t1", name="second", created="2026-01-02T00:00:00Z"),
        config("t1", name="third", created="2026-01-03T00:00:00Z"),
    )
    (line,) = tenant_lines(judgement, {})
    assert (line.source, line.state, line.errors) == ("higress-system/second", "InForce", 3)


def test_gateways() -> None:
    by_service, by_endpoints, by_address = tenant_lines(
        judged(
            settings(),
            config("t0"),
            config("t1", {"gateway": {"balance": "endpoints"}}),
            slices("10.0.0.2", "10.0.0.1"),
            config("t2", {"gateway": {"addresses": ["g.example:443"], "protocol": "https"}}),
        ),
        {},
    )
    assert by_service.gateway is not None
    assert by_service.gateway.addresses == ("higress-gateway.t0-gateway.svc:80",)
    assert (by_service.gateway.endpoints, by_service.gateway.service) == (None, "")
    assert by_endpoints.gateway is not None
    assert by_endpoints.gateway.endpoints == ("10.0.0.1:80", "10.0.0.2:80")
    assert by_endpoints.gateway.service == "t1-gateway/higress-gateway"
    assert by_address.gateway is not None
    assert (by_address.gateway.addresses, by_address.gateway.server_name) == (("g.example:443",), "g.example")


def test_a_sheet() -> None:
    sheet = tenant_sheet("t1", judged(settings(), config("t1", {"domains": ["b.example", "a.example"]}), slices()), {})
    assert sheet is not None
    assert sheet.hosts == ("*.t1.aigw.example.com", "t1.aigw.example.com", "a.example", "b.example")
    assert sheet.objects == ("ConfigMap higress-system/t1", "EndpointSlice t1-gateway/higress-gateway-x")
    assert sheet.warnings == len(sheet.findings) == 4
    assert sheet.https_redirect is True


def test_a_sheet_of_a_tenant_that_is_not_in_force() -> None:
    sheet = tenant_sheet("t1", judged(config("t1", {"limits": {"connections": -1}})), {})
    assert sheet is not None
    assert (sheet.state, sheet.hosts, sheet.gateway, sheet.limits) == ("Rejected", (), None, None)


def test_what_the_controller_says() -> None:
    told = {
        "higress-system/t1": Told(tenant="t1", uid="u1", status=READY),
        "higress-system/other": Told(tenant="t1", uid="u2", status=REMOVING, is_going=True),
    }
    judgement = judged(settings(), config("t1"), config("t2"))
    assert [one.release for one in tenant_lines(judgement, told)] == [READY, None]
    sheet = tenant_sheet("t1", judgement, told)
    assert sheet is not None
    assert (sheet.state, sheet.release) == ("InForce", READY)


def test_what_no_controller_has_taken_up() -> None:
    release = {"release": {"profile": "test"}, "namespace": {"admins": ["group:a"]}}
    judgement = judged(settings(), config("t1", release), config("t2"))
    assert [one.is_awaited for one in tenant_lines(judgement, {})] == [True, False]
    assert [one.is_awaited for one in tenant_lines(judgement, None)] == [False, False]
    told = {"higress-system/t1": Told(tenant="t1", uid="u1", status=READY)}
    assert [one.is_awaited for one in tenant_lines(judgement, told)] == [False, False]
    sheet, bare = tenant_sheet("t1", judgement, {}), tenant_sheet("t2", judgement, {})
    assert sheet is not None
    assert sheet.asked is not None
    assert sheet.namespace is not None
    assert (sheet.asked.profile, sheet.namespace.admins) == ("test", ("group:a",))
    assert bare is not None
    assert (bare.asked, bare.namespace) == (None, None)


def test_a_tenant_that_is_being_removed() -> None:
    """Its ConfigMap is nothing to the entry any more; whether it left certificates doesn't matter."""
    told = {
        "higress-system/t1": Told(tenant="t1", uid="u1", status=REMOVING, is_going=True, created=CREATED),
        "higress-system/t2": Told(tenant="t2", uid="u2", status=REMOVING, is_going=True),
        "higress-system/platform": Told(tenant="system", uid="u3", status=None, is_going=True),
    }
    judgement = judged(settings(), secret("t2", "t2.aigw.example.com"))
    for line in tenant_lines(judgement, told):
        assert (line.state, line.source, line.release) == ("Removing", f"higress-system/{line.id}", REMOVING)
        sheet = tenant_sheet(line.id, judgement, told)
        assert sheet is not None
        assert (sheet.state, sheet.release) == ("Removing", REMOVING)
    assert [(one.id, one.created) for one in tenant_lines(judgement, told)] == [("t1", CREATED), ("t2", "")]
    assert tenant_sheet("t3", judgement, told) is None


@pytest.mark.parametrize("tenant", ["t2", "system"])
def test_no_sheet(tenant: str) -> None:
    assert tenant_sheet("t2", judged(settings(), config("t1")), {}) is None


@pytest.mark.parametrize(
    ("tenant", "service"),
    [
        (Tenant(id="t", gateway_addresses=("s.ns.svc:80",)), ("ns", "s")),
        (Tenant(id="t", gateway_addresses=("s.ns.svc.cluster.local:80",)), None),
        (Tenant(id="t", gateway_addresses=("10.0.0.1:80", "s.ns.svc:80")), None),
        (Tenant(id="t", gateway_addresses=(), gateway_service=GatewayService("ns", "s", "http")), ("ns", "s")),
    ],
)
def test_services(tenant: Tenant, service: tuple[str, str] | None) -> None:
    assert service_of(tenant) == service
