from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.hostname import normalize
from entryproxy.routing.match import NoRoute, Route, SystemHost, match_host, parse_system_host
from tests.routing.snapshots import DOMAIN, snapshot, tenant

SNAPSHOT = snapshot(
    tenant("t1", "app.customer.com", "*.customer.com"),
    tenant("t2", "shop.customer.com", "*.deep.customer.com", "*.example.com"),
)


@pytest.mark.parametrize(
    ("host", "tenant_id", "service", "domain_type"),
    [
        ("app1.t1.aigw.example.com", "t1", "app1", "system"),
        ("t1.aigw.example.com", "t1", "", "system"),
        ("a-b.t2.aigw.example.com", "t2", "a-b", "system"),
        ("app.customer.com", "t1", "", "custom"),
        ("other.customer.com", "t1", "", "custom"),
        ("shop.customer.com", "t2", "", "custom"),  # exact, inside another tenant's wildcard
        ("x.deep.customer.com", "t2", "", "custom"),
        ("_acme.customer.com", "t1", "", "custom"),
    ],
)
def test_route(host: str, tenant_id: str, service: str, domain_type: str) -> None:
    route = match_host(SNAPSHOT, host)
    assert isinstance(route, Route)
    assert (route.tenant.id, route.service, route.domain_type) == (tenant_id, service, domain_type)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("t3.aigw.example.com", "unknown_tenant"),
        ("app.t3.aigw.example.com", "unknown_tenant"),
        ("system.aigw.example.com", "unknown_tenant"),
        ("a.b.t1.aigw.example.com", "unknown_host"),  # one label too many
        ("aigw.example.com", "unknown_host"),  # the system domain, though "*.example.com" is claimed
        (".aigw.example.com", "unknown_host"),
        (".t1.aigw.example.com", "unknown_host"),
        ("a_b.t1.aigw.example.com", "unknown_host"),
        ("*.t1.aigw.example.com", "unknown_host"),
        ("xaigw.example.com.", "unknown_host"),
        ("t1.xaigw.example.com", "unknown_host"),
        ("customer.com", "unknown_host"),  # a wildcard doesn't cover its own parent
        ("a.b.customer.com", "unknown_host"),  # nor two labels
        ("*.customer.com", "unknown_host"),  # the pattern is a key of the index, not a host
        (".customer.com", "unknown_host"),
        ("a b.customer.com", "unknown_host"),
        ("127.0.0.1", "unknown_host"),
        ("[::1]", "unknown_host"),
        ("localhost", "unknown_host"),
        ("", "unknown_host"),
    ],
)
def test_no_route(host: str, reason: str) -> None:
    route = match_host(SNAPSHOT, host)
    assert isinstance(route, NoRoute)
    assert route.reason == reason
    assert route.detail.endswith(".")


def test_normal_form_leads_to_the_same_route() -> None:
    assert match_host(SNAPSHOT, normalize("App1.T1.AIGW.example.com.:8443")) == match_host(
        SNAPSHOT, "app1.t1.aigw.example.com"
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("app.new.aigw.example.com", SystemHost("new", "app")),
        ("new.aigw.example.com", SystemHost("new", "")),
        ("aigw.example.com", None),
        ("-.aigw.example.com", None),
    ],
)
def test_system_hosts_need_no_tenant(host: str, expected: SystemHost | None) -> None:
    assert parse_system_host(host, DOMAIN) == expected


LABELS = st.sampled_from(["a", "t1", "customer", "com", "aigw", "example", "*", "", "deep", "shop", "x_y"])


@given(st.lists(LABELS, max_size=7).map(".".join))
def test_a_route_is_what_the_rules_say(host: str) -> None:
    route = match_host(SNAPSHOT, host)
    if isinstance(route, NoRoute):
        return
    if route.domain_type == "system":
        assert host == ".".join(filter(None, (route.service, route.tenant.id, DOMAIN)))
    else:
        assert "*" not in host
        assert host in route.tenant.domains or "*." + host.partition(".")[2] in route.tenant.domains
