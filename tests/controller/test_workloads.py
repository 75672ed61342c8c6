"""What the chart writes into pods → gateways and controllers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from entryproxy.controller.workloads import DAEMON_SETS, DEPLOYMENTS, HIGRESS_LABEL
from entryproxy.provision.inventory import Controller, Workload


def deployment(container: dict[str, Any], label: str = "ns-x", **pod: Any) -> msgspec.Raw:
    notes = {"meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": "ns"}
    metadata = {"name": "x", "namespace": "ns", "labels": {HIGRESS_LABEL: label}, "annotations": notes}
    template = {"spec": {"containers": [{"name": "side"}, container], **pod}}
    return msgspec.Raw(json.dumps({"metadata": metadata, "spec": {"template": template}}).encode())


def test_a_gateway() -> None:
    ports = [{"containerPort": port} for port in (80, 443, 15020, 15090)]
    found = DEPLOYMENTS(deployment({"ports": ports}))
    assert found == Workload(namespace="ns", name="x", owner=("ns", "one"), ports=frozenset({80, 443}))
    assert str(found) == "Deployment ns/x"
    assert str(DAEMON_SETS(deployment({}))) == "DaemonSet ns/x"


@pytest.mark.parametrize(
    ("pod", "taken"), [({}, {8080}), ({"hostNetwork": True}, {8080, 443}), ({"hostNetwork": False}, {8080})]
)
def test_ports_of_nodes(pod: dict[str, Any], taken: set[int]) -> None:
    found = DEPLOYMENTS(deployment({"ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 443}]}, **pod))
    assert found is not None
    assert found.host_ports == taken


def test_a_controller() -> None:
    arguments = [
        "serve",
        "--gatewayHttpPort=80",
        "--gatewayHttpsPort=443",
        "--ingressClass=one",
        "--watchNamespace=apps",
    ]
    variables = [{"name": "POD_NAME", "valueFrom": {}}, {"name": "PILOT_ENABLE_GATEWAY_API", "value": "true"}]
    assert DEPLOYMENTS(deployment({"args": arguments, "env": variables}, label="x")) == Controller(
        namespace="ns",
        name="x",
        owner=("ns", "one"),
        class_name="one",
        watched="apps",
        has_gateway_api=True,
        ports=frozenset({80, 443}),
    )


@pytest.mark.parametrize(
    ("arguments", "class_name"),
    [
        (["--ingressClass="], ""),
        (["--ingressClass", "one"], "one"),
        (["--ingressClass=one", "--ingressClass=two"], "two"),
        (["--ingressClass=one", "--gatewayHttpPort=odd"], "one"),
    ],
)
def test_options_as_people_write_them(arguments: list[str], class_name: str) -> None:
    found = DEPLOYMENTS(deployment({"args": arguments}))
    assert isinstance(found, Controller)
    assert (found.class_name, found.watched, found.ports, found.has_gateway_api) == (class_name, "", frozenset(), False)


@pytest.mark.parametrize("arguments", [["--ingressClass"], ["--ingressClasses=one"], []])
def test_what_is_neither(arguments: list[str]) -> None:
    """The chart's plugin server, say."""
    assert DEPLOYMENTS(deployment({"args": arguments}, label="x")) is None


def test_controllers_that_see_the_same_objects() -> None:
    everywhere, here, there = (
        Controller(namespace="ns", name="x", class_name="one", watched=watched) for watched in ("", "a", "b")
    )
    assert everywhere.overlaps(here)
    assert here.overlaps(everywhere)
    assert here.overlaps(here)
    assert not here.overlaps(there)
