"""What a tenant's release would collide with, before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.release import ReleaseSpec
from entryproxy.model.tenant import Gateway, TenantSpec
from entryproxy.provision.desired import Chart, make_desired
from entryproxy.provision.inventory import Definition, Inventory, OpenService, OwnedNamespace
from entryproxy.provision.refusals import Neighbours, Wish, refusals, refusals_among, wish_of, wish_of_spec
from tests.provision.test_collisions import controller, deployed, gateway, ingress_class, revision, wish

OURS = ("t1-gateway", "t1")
SHARED = {"namespace": "common", "gateway": "t1-gateway", "controller": "t1-controller", "is_shared": True}


def in_common(tenant: str, ports: set[int]) -> Wish:
    names = {"gateway": f"{tenant}-gateway", "controller": f"{tenant}-controller"}
    return wish(tenant, **{**SHARED, **names, "ports": frozenset(ports)})


CASES: dict[str, tuple[Wish, Inventory, list[tuple[str, str]]]] = {
    "an empty cluster": (wish("t1"), Inventory(), []),
    "what is there is all its own": (
        wish("t1", has_gateway_api=True, node_ports=frozenset({30080})),
        Inventory(
            classes=(ingress_class("t1", OURS),),
            releases={OURS: (revision(1, "superseded"), revision(2, "deployed", digest="abc"))},
            controllers=(controller("t1-gateway", "t1", owner=OURS, has_gateway_api=True),),
            gateways=(gateway("t1-gateway", owner=OURS),),
            namespaces=(OwnedNamespace(name="t1-gateway", tenant="t1", source="entry/t1"),),
            services=(OpenService(namespace="t1-gateway", name="higress-gateway", node_ports=frozenset({30080})),),
        ),
        [],
    ),
    "a class of another release": (
        wish("t1"),
        Inventory(classes=(ingress_class("t1", ("else", "one")),), releases=deployed("else")),
        [("ClassTaken", "release")],
    ),
    "a class of nobody": (wish("t1"), Inventory(classes=(ingress_class("t1"),)), [("ClassTaken", "release")]),
    "a class that somebody's controller serves": (
        wish("t1"),
        Inventory(controllers=(controller("a", "t1"), controller("b", "t1", watched="b"))),
        [("ClassTaken", "release")],
    ),
    "a neighbour who takes everything": (
        wish("t1"),
        Inventory(controllers=(controller("a", ""), controller("b", "", watched="b"))),
        [("GreedyClass", "release")],
    ),
    "what another tenant's accounts say they are": (
        wish("t1", has_gateway_api=True),
        Inventory(
            controllers=(
                controller("t2-gateway", "t1", has_gateway_api=True),
                controller("t2-gateway", ""),
                controller("t2-gateway", "t2", name="higress-controller-t1"),
            ),
            gateways=(gateway("gateway", "higress-gateway-t1"),),
            namespaces=(
                OwnedNamespace(name="t2-gateway", tenant="t2", source="entry/t2"),
                OwnedNamespace(name="gateway", tenant="t3", source="entry/t3"),
            ),
        ),
        [],
    ),
    "another tenant's namespace to watch": (
        wish("t1", watched="t2-gateway"),
        Inventory(namespaces=(OwnedNamespace(name="t2-gateway", tenant="t2", source="entry/t2"),)),
        [("NamespaceTaken", "release.values.global.watchNamespace")],
    ),
    "a namespace of another tenant": (
        wish("t1"),
        Inventory(namespaces=(OwnedNamespace(name="t1-gateway", tenant="t2", source="entry/t2"),)),
        [("NamespaceTaken", "gateway.namespace")],
    ),
    "a namespace of another entry's tenant of that id": (
        wish("t1"),
        Inventory(namespaces=(OwnedNamespace(name="t1-gateway", tenant="t1", source="another/t1"),)),
        [("NamespaceTaken", "gateway.namespace")],
    ),
    "its own namespace, from when its ConfigMap had another name": (
        wish("t1"),
        Inventory(namespaces=(OwnedNamespace(name="t1-gateway", tenant="t1", source="entry/old"),)),
        [],
    ),
    "a release of that name that isn't ours": (
        wish("t1"),
        Inventory(releases={OURS: (revision(1, "deployed"),)}),
        [("ReleaseTaken", "gateway.namespace")],
    ),
    "a Higress of somebody's in the namespace": (
        wish("t1"),
        Inventory(gateways=(gateway("t1-gateway"),), controllers=(controller("t1-gateway", "higress"),)),
        [("NameTaken", "gateway.namespace")] * 2,
    ),
    "a ClusterRole's name": (
        wish("t1"),
        Inventory(gateways=(gateway("gateway-t1-gateway", "higress"),)),
        [("NameTaken", "gateway.namespace")],
    ),
    "names in a shared namespace": (
        wish("t1", **SHARED),
        Inventory(
            gateways=(gateway("common", "t1-gateway"), gateway("common", "t2-gateway")),
            controllers=(controller("common", "t2", name="t2-controller"),),
        ),
        [("NameTaken", "gateway.namespace")],
    ),
    "ports in a shared namespace": (
        in_common("t1", {20000, 20001}),
        Inventory(
            gateways=(gateway("common", "t2-gateway", ports=frozenset({20000})),),
            controllers=(controller("common", "t2", name="t2-controller", ports=frozenset({20000})),),
        ),
        [("PortTaken", "release.values.gateway")],
    ),
    "the same ports in another namespace": (
        in_common("t1", {20000, 20001}),
        Inventory(gateways=(gateway("else", "t2-gateway", ports=frozenset({20000})),)),
        [],
    ),
    "a node port": (
        wish("t1", node_ports=frozenset({30080, 30443})),
        Inventory(services=(OpenService(namespace="a", name="b", node_ports=frozenset({30443})),)),
        [("PortTaken", "release.values.gateway.service.ports")],
    ),
    "the Gateway API of somebody": (
        wish("t1", has_gateway_api=True),
        Inventory(controllers=(controller("a", "a", has_gateway_api=True), controller("b", "b"))),
        [("GatewayApiTaken", "release.gatewayAPI")],
    ),
    "a definition that lacks a version": (
        wish("t1"),
        Inventory(definitions=(Definition(name="mcpbridges.networking.higress.io", versions=frozenset()),)),
        [("DefinitionVersion", "release.chart")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_against_a_cluster(name: str) -> None:
    wanted, inventory, expected = CASES[name]
    assert [(one.reason, one.field) for one in refusals(wanted, inventory)] == expected


AMONG_TENANTS: dict[str, tuple[Wish, Wish, list[str]]] = {
    "everybody by default": (wish("t1"), wish("t2"), []),
    "oneself": (wish("t1", has_gateway_api=True), wish("t1", has_gateway_api=True), []),
    "one namespace that nobody calls shared": (wish("t1"), wish("t2", namespace="t1-gateway"), ["NamespaceTaken"]),
    "one namespace that one calls shared": (
        wish("t1"),
        wish("t2", namespace="t1-gateway", is_shared=True),
        ["NamespaceTaken"],
    ),
    "a shared one": (in_common("t1", {1, 2}), in_common("t2", {3, 4}), []),
    "a shared one with the same ports": (in_common("t1", {1, 2}), in_common("t2", {2, 3}), ["PortTaken"]),
    "the Gateway API": (
        wish("t1", has_gateway_api=True),
        wish("t2", has_gateway_api=True),
        ["GatewayApiTaken"],
    ),
}


@pytest.mark.parametrize("name", AMONG_TENANTS)
def test_the_younger_tenant_yields(name: str) -> None:
    older, younger, expected = AMONG_TENANTS[name]
    assert [one.reason for one in refusals(younger, Inventory(), [older])] == expected
    neighbours = Neighbours(Inventory())
    assert refusals_among(older, neighbours) == []
    neighbours.admit(older)
    assert [one.reason for one in refusals_among(younger, neighbours)] == expected


def test_only_a_greedy_neighbour_is_let_pass() -> None:
    fatal = {one.reason: one.is_fatal for wanted, inventory, _ in CASES.values() for one in refusals(wanted, inventory)}
    assert [reason for reason, is_fatal in fatal.items() if not is_fatal] == ["GreedyClass"]


# -- what a document wishes


def spec(gateway_namespace: str = "", **release: Any) -> TenantSpec:
    return TenantSpec(gateway=Gateway(namespace=gateway_namespace), release=ReleaseSpec(**release))


def test_the_defaults() -> None:
    assert wish_of_spec("t1", spec(), source="entry/t1") == wish("t1", ports=frozenset({80, 443}))


def test_what_a_document_may_change() -> None:
    ports = [{"name": "http2", "port": 80, "nodePort": 30080}, {"name": "https", "port": 443}, "odd"]
    values = {"gateway": {"httpPort": 8080, "service": {"ports": ports}}, "global": {"watchNamespace": "apps"}}
    found = wish_of_spec("t1", spec("ns", isolation="class", gateway_api=True, values=values), source="entry/t1")
    assert found == wish(
        "t1",
        namespace="ns",
        watched="apps",
        ports=frozenset({8080, 443}),
        node_ports=frozenset({30080}),
        has_gateway_api=True,
    )


def test_a_shared_namespace() -> None:
    found = wish_of_spec("t1", spec("common", isolation="shared"), source="entry/t1")
    assert (found.is_shared, found.gateway, found.controller) == (True, "t1-gateway", "t1-controller")
    assert not found.ports & {80, 443}


@pytest.mark.parametrize("isolation", ["namespace", "class", "shared"])
@pytest.mark.parametrize("is_umbrella", [False, True])
def test_what_is_about_to_be_written_is_what_the_document_wishes(isolation: Any, is_umbrella: bool) -> None:
    document = spec("ns", isolation=isolation, values={"gateway": {"httpPort": 8080}})
    desired = make_desired(
        "t1",
        document,
        source="entry/t1",
        uid="u",
        entry_namespace="entry",
        chart=Chart(path="c.tgz", version="2.2.1", digest="d", is_umbrella=is_umbrella),
        helm_version="v4",
    )
    assert wish_of(desired) == wish_of_spec("t1", document, source="entry/t1")


def test_a_release_that_leaves_is_in_nobody_s_way() -> None:
    old = ("t1-old", "t1")
    services = (OpenService(namespace="t1-old", name="g", owner=old, node_ports=frozenset({30080})),)
    there = Inventory(
        classes=(ingress_class("t1", old),),
        releases={old: (revision(1, "deployed", digest="abc"),)},
        controllers=(controller("t1-old", "t1", owner=old, has_gateway_api=True),),
        gateways=(gateway("t1-old", owner=old),),
        services=services,
    )
    moving = wish("t1", has_gateway_api=True, node_ports=frozenset({30080}))
    assert {one.reason for one in refusals(moving, there)} == {"ClassTaken", "GatewayApiTaken", "PortTaken"}
    assert refusals(moving, there.without(old)) == []
    assert there.without(("another", "t1")) == there


PATHS = ("global", "gateway", "controller", "higress-core", "service", "ports", "name", "ingressClass", "httpPort")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(PATHS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(PATHS), ANYTHING, max_size=4))
def test_no_document_stops_the_others(values: dict[str, Any]) -> None:
    """The compiler takes any values, which are judged by whoever has the chart."""
    found = wish_of_spec("t1", spec(values=values), source="entry/t1")
    assert (found.class_name, found.namespace) == ("t1", "t1-gateway")
    assert refusals(found, Inventory(), [wish("t2")]) == []
