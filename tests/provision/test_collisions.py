"""Each collision of one cluster, as a row: what lives there, and what is said of it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from entryproxy.model.finding import Finding
from entryproxy.provision.collisions import STUCK_SECONDS, Reason, collisions, problem_finding
from entryproxy.provision.inventory import (
    Controller,
    Definition,
    IngressClass,
    Inventory,
    OpenService,
    OwnedNamespace,
    ReleaseName,
    Unjudged,
    Workload,
)
from entryproxy.provision.problems import Problem
from entryproxy.provision.refusals import Wish
from entryproxy.provision.state import Revision

NOW = 1_000_000.0
HIGRESS = "higress.io/higress-controller"


def controller(namespace: str, class_name: str, name: str = "higress-controller", **changes: Any) -> Controller:
    return Controller(
        **{"namespace": namespace, "name": name, "class_name": class_name, "owner": (namespace, "one"), **changes}
    )


def gateway(namespace: str, name: str = "higress-gateway", **changes: Any) -> Workload:
    return Workload(**{"namespace": namespace, "name": name, "owner": (namespace, "one"), **changes})


def ingress_class(name: str, owner: ReleaseName | None = None, **changes: Any) -> IngressClass:
    return IngressClass(**{"name": name, "controller": HIGRESS, "owner": owner, **changes})


def revision(number: int, status: Any, age: float = 0.0, digest: str = "") -> Revision:
    return Revision(number=number, status=status, digest=digest, created=NOW - age)


def deployed(*namespaces: str, name: str = "one") -> dict[ReleaseName, tuple[Revision, ...]]:
    return {(namespace, name): (revision(1, "deployed"),) for namespace in namespaces}


def wish(tenant: str, **changes: Any) -> Wish:
    return Wish(
        **{
            "tenant": tenant,
            "source": f"entry/{tenant}",
            "namespace": f"{tenant}-gateway",
            "class_name": tenant,
            "gateway": "higress-gateway",
            "controller": "higress-controller",
            "watched": f"{tenant}-gateway",
            **changes,
        }
    )


def judge(inventory: Inventory, *wishes: Wish, sources: frozenset[str] = frozenset()) -> list[Finding]:
    return collisions(inventory, wishes, sources=sources, entry_namespace="entry", now=NOW)


def told(findings: list[Finding]) -> list[str]:
    return [f"{one.severity} {one.reason} {one.object}" for one in findings]


def several(count: int, class_name: str) -> tuple[Controller, ...]:
    return tuple(controller(f"n{number}", class_name) for number in range(count))


CASES: dict[str, tuple[Inventory, list[str]]] = {
    "nothing": (Inventory(), []),
    "everybody has a namespace and a class": (
        Inventory(
            classes=(ingress_class("a", ("a", "one")), ingress_class("b", ("b", "one"))),
            controllers=(controller("a", "a"), controller("b", "b")),
            gateways=(gateway("a"), gateway("b")),
            plugins=("a/limits",),
            releases=deployed("a", "b"),
            definitions=(Definition(name="mcpbridges.networking.higress.io", versions=frozenset({"v1"})),),
        ),
        [],
    ),
    "one class, two controllers": (
        Inventory(controllers=(controller("a", "higress"), controller("b", "higress"), controller("c", "c"))),
        ["error ClassConflict IngressClass higress"],
    ),
    "one class, but each watches a namespace of its own": (
        Inventory(controllers=(controller("a", "x", watched="a"), controller("b", "x", watched="b"))),
        [],
    ),
    "one class, and one of them watches everything": (
        Inventory(controllers=(controller("a", "x", watched="a"), controller("b", "x"))),
        ["error ClassConflict IngressClass x"],
    ),
    "no class takes everybody's": (
        Inventory(controllers=(controller("a", ""), controller("b", "b"))),
        ["error GreedyClass Deployment a/higress-controller"],
    ),
    "no class, alone or apart": (
        Inventory(controllers=(controller("a", "", watched="a"), controller("b", "b", watched="b"))),
        [],
    ),
    "nginx takes class-less Ingresses": (
        Inventory(controllers=(controller("a", "nginx"), controller("b", "b"))),
        ["warning GreedyClass Deployment a/higress-controller"],
    ),
    "a class that --take-ownership gave to another": (
        Inventory(
            classes=(ingress_class("a", ("b", "one")),), controllers=(controller("a", "a"),), releases=deployed("b")
        ),
        ["error ForeignClass IngressClass a"],
    ),
    "a class of ingress-nginx": (
        Inventory(
            classes=(ingress_class("nginx", controller="k8s.io/ingress-nginx"),),
            controllers=(controller("a", "nginx"),),
        ),
        ["warning ForeignClass IngressClass nginx"],
    ),
    "a class whose release is gone": (
        Inventory(classes=(ingress_class("a", ("a", "one")), ingress_class("b", ("b", "one"), controller="else"))),
        ["warning LeftOver IngressClass a"],
    ),
    "a class whose release can't be looked for": (
        Inventory(classes=(ingress_class("a", ("a", "one")),), unjudged=(Unjudged("secrets", "no"),)),
        ["warning NotJudged secrets */?"],
    ),
    "two default classes": (
        Inventory(classes=(ingress_class("a", is_default=True), ingress_class("b", is_default=True))),
        ["warning DefaultClass IngressClass a", "warning DefaultClass IngressClass b"],
    ),
    "default classes of others": (
        Inventory(classes=tuple(ingress_class(one, controller="else", is_default=True) for one in "ab")),
        [],
    ),
    "a tenant's class is the default": (
        Inventory(
            classes=(ingress_class("a", is_default=True),), controllers=(controller("a", "a"), controller("b", "b"))
        ),
        ["warning DefaultClass IngressClass a"],
    ),
    "two gateways in a namespace, and a plugin for both": (
        Inventory(gateways=(gateway("a", "g1"), gateway("a", "g2"), gateway("b")), plugins=("a/limits", "b/limits")),
        ["warning SharedNamespace Namespace a", "warning SharedPlugin WasmPlugin a/limits"],
    ),
    "two names that make one ClusterRole": (
        Inventory(gateways=(gateway("gateway-b", "higress"), gateway("b", "higress-gateway"))),
        ["error NameConflict ClusterRole higress-gateway-b"],
    ),
    "ports of nodes": (
        Inventory(
            gateways=(
                gateway("a", host_ports=frozenset({80, 443})),
                gateway("b", kind="DaemonSet", host_ports=frozenset({80, 443})),
                gateway("c", host_ports=frozenset({8080})),
            )
        ),
        ["warning PortConflict Deployment a/higress-gateway"],
    ),
    "an address of a load balancer": (
        Inventory(
            services=(
                OpenService(namespace="a", name="g", ports=frozenset({80, 443}), address="192.0.2.1"),
                OpenService(namespace="b", name="g", ports=frozenset({443}), address="192.0.2.1"),
                OpenService(namespace="c", name="g", ports=frozenset({443}), address="192.0.2.2"),
                OpenService(namespace="d", name="g", ports=frozenset({443})),
                OpenService(namespace="e", name="g", ports=frozenset({443})),
            )
        ),
        ["error PortConflict Service a/g"],
    ),
    "the Gateway API twice": (
        Inventory(
            controllers=tuple(controller(one, one, has_gateway_api=True) for one in "ab"),
            gateway_classes=("higress-gateway",),
        ),
        ["error GatewayApiConflict GatewayClass higress-gateway"],
    ),
    "the Gateway API twice, in a cluster without": (
        Inventory(controllers=tuple(controller(one, one, has_gateway_api=True) for one in "ab")),
        ["warning GatewayApiConflict Deployment a/higress-controller"],
    ),
    "a definition of another time": (
        Inventory(definitions=(Definition(name="wasmplugins.extensions.higress.io", versions=frozenset({"v1"})),)),
        ["error DefinitionVersion CustomResourceDefinition wasmplugins.extensions.higress.io"],
    ),
    "a definition that goes with a release": (
        Inventory(
            gateways=(gateway("a"),),
            definitions=(
                Definition(
                    name="envoyfilters.networking.istio.io",
                    versions=frozenset({"v1alpha3"}),
                    owner=("istio-system", "istio-base"),
                ),
            ),
        ),
        ["warning DefinitionOwner CustomResourceDefinition envoyfilters.networking.istio.io"],
    ),
    "a killed upgrade of somebody's": (
        Inventory(
            gateways=(gateway("a"),),
            releases={
                ("a", "one"): (revision(1, "deployed", 9000), revision(2, "pending-upgrade", STUCK_SECONDS + 1)),
                ("a", "two"): (revision(1, "pending-install", STUCK_SECONDS - 1),),
                ("elsewhere", "database"): (revision(1, "pending-install", 9000),),
            },
        ),
        ["error StuckRelease Release a/one"],
    ),
    "a killed upgrade of ours": (
        Inventory(releases={("a", "one"): (revision(1, "pending-install", 9000, "abc"),)}),
        ["warning StuckRelease Release a/one"],
    ),
    "two deployed revisions": (
        Inventory(
            gateways=(gateway("a"),), releases={("a", "one"): (revision(1, "deployed"), revision(2, "deployed"))}
        ),
        ["error TwoDeployed Release a/one"],
    ),
    "namespaces of tenants that are gone, are going, and of another entry's": (
        Inventory(
            namespaces=(
                OwnedNamespace(name="a-gateway", tenant="a", source="entry/a"),
                OwnedNamespace(name="b-gateway", tenant="b", source="entry/b"),
                OwnedNamespace(name="c-gateway", tenant="c", source="entry/c"),
                OwnedNamespace(name="d-gateway", tenant="d", source="another/d"),
            ),
            sources=frozenset({"entry/b"}),
        ),
        ["warning LeftOver Namespace a-gateway"],
    ),
    "what may not be listed": (
        Inventory(unjudged=(Unjudged("deployments.apps", "no"), Unjudged("services", "no"))),
        ["warning NotJudged deployments.apps */?", "warning NotJudged services */?"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_collides(name: str) -> None:
    inventory, expected = CASES[name]
    assert told(judge(inventory, sources=frozenset({"entry/c"}))) == expected


MESSAGES = {
    "one class, two controllers": "Deployment a/higress-controller and Deployment b/higress-controller take the same "
    "Ingresses; give each release a global.ingressClass of its own",
    "a class that --take-ownership gave to another": "It belongs to release b/one and Deployment a/higress-controller "
    "of a/one needs it: uninstalling the first takes it away; give each a class of its own",
    "two gateways in a namespace, and a plugin for both": "Deployment a/g1 and Deployment a/g2 share higress-config "
    "and every plugin; one namespace for each parts them",
    "ports of nodes": "Deployment a/higress-gateway and DaemonSet b/higress-gateway take 80 and 443 of their nodes: no "
    "node can have both; move one of them",
    "a killed upgrade of somebody's": "Revision 2 is pending-upgrade for 10 min, as if Helm was killed; helm rollback, "
    "or uninstall a first install",
    "a definition of another time": "wasmplugins.extensions.higress.io serves v1, and Higress's charts need v1alpha1; "
    "update the CustomResourceDefinition",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_says_who_and_what_to_do(name: str) -> None:
    assert judge(CASES[name][0])[0].message == MESSAGES[name]


def test_a_crowd_is_cut_short() -> None:
    (found,) = judge(Inventory(controllers=several(1000, "higress")))
    assert found.message.startswith("Deployment n0/higress-controller, Deployment n1/higress-controller, ")
    assert "Deployment n4/higress-controller and 995 more take the same Ingresses" in found.message


def test_tenants_are_judged_against_the_cluster_and_against_older_ones() -> None:
    inventory = Inventory(
        classes=(ingress_class("t1", ("default", "mine")),), releases=deployed("default", name="mine")
    )
    findings = judge(inventory, wish("t1"), wish("t2", has_gateway_api=True), wish("t3", has_gateway_api=True))
    assert [(one.reason, one.object, one.field, one.tenant) for one in findings] == [
        ("ClassTaken", "ConfigMap entry/t1", "tenant.yaml: $.release", "t1"),
        ("GatewayApiTaken", "ConfigMap entry/t3", "tenant.yaml: $.release.gatewayAPI", "t3"),
    ]


def test_what_goes_wrong_for_everybody_is_told_once() -> None:
    inventory, expected = CASES["a definition of another time"]
    assert told(judge(inventory, wish("t1"), wish("t2"))) == expected


def test_a_stuck_release_counts_where_a_tenant_wants_its_gateway() -> None:
    inventory = Inventory(releases={("t1-gateway", "t1"): (revision(1, "pending-install", 9000),)})
    assert told(judge(inventory, wish("t1"))) == [
        "error StuckRelease Release t1-gateway/t1",
        "error ReleaseTaken ConfigMap entry/t1",
    ]


def test_a_remark_is_a_warning() -> None:
    problem = Problem("release", "Look.", "GreedyClass", is_fatal=False)
    assert problem_finding(problem, tenant="t1", source="entry/t1").severity == "warning"


def test_every_reason_is_in_a_closed_set_and_told_once() -> None:
    reasons = {one.reason for inventory, _ in CASES.values() for one in judge(inventory)}
    refused = {"ClassTaken", "NamespaceTaken", "ReleaseTaken", "NameTaken", "PortTaken", "GatewayApiTaken"}
    assert reasons | refused == set(get_args(Reason))
