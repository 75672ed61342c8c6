"""JSON of one object → what it is to its neighbours."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from entryproxy.controller import survey
from entryproxy.controller.survey import Reader
from entryproxy.provision.inventory import Definition, IngressClass, OpenService, OwnedNamespace
from entryproxy.provision.objects import OWNER_LABEL, SOURCE_ANNOTATION

HELM = {"meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": "ns"}
READERS: list[Reader[Any]] = [
    survey.DEFINITIONS,
    survey.GATEWAY_CLASSES,
    survey.INGRESS_CLASSES,
    survey.NAMES,
    survey.NAMESPACES,
    survey.PLUGINS,
    survey.SERVICES,
]


def raw(document: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(document).encode())


def item(spec: Any = None, **metadata: Any) -> msgspec.Raw:
    document = {"metadata": {"name": "x", "managedFields": [{"manager": "kubectl"}], **metadata}}
    return raw(document if spec is None else {**document, "spec": spec})


def test_ingress_classes() -> None:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    assert survey.INGRESS_CLASSES(item({"controller": "c"}, annotations={**HELM, **default})) == IngressClass(
        name="x", controller="c", owner=("ns", "one"), is_default=True
    )
    assert survey.INGRESS_CLASSES(item()) == IngressClass(name="x")
    assert survey.INGRESS_CLASSES(item(annotations={"meta.helm.sh/release-name": "one"})) == IngressClass(name="x")


def test_gateway_classes() -> None:
    assert survey.GATEWAY_CLASSES(item({"controllerName": "higress.io/gateway-controller"})) == "x"
    assert survey.GATEWAY_CLASSES(item({"controllerName": "istio.io/gateway-controller"})) is None


def test_definitions() -> None:
    versions = [{"name": "v1", "served": True, "schema": {}}, {"name": "v2", "served": False}, {"name": "v3"}]
    assert survey.DEFINITIONS(item({"versions": versions}, annotations=HELM)) == Definition(
        name="x", versions=frozenset({"v1"}), owner=("ns", "one")
    )


@pytest.mark.parametrize(
    ("spec", "is_default"),
    [
        ({"defaultConfig": {"a": 1}}, True),
        ({"defaultConfig": {}}, True),
        ({"defaultConfig": {"a": 1}, "defaultConfigDisable": False}, True),
        ({"defaultConfig": {"a": 1}, "defaultConfigDisable": True}, False),
        ({"defaultConfig": None}, False),
        ({"matchRules": [{"domain": ["a.b"], "config": {}}]}, False),
        ({}, False),
    ],
)
def test_plugins(spec: Any, is_default: bool) -> None:
    assert survey.PLUGINS(item(spec, namespace="ns")) == ("ns/x" if is_default else None)


def test_services() -> None:
    ports = [{"port": 80, "nodePort": 30080}, {"port": 443}]
    found = survey.SERVICES(item({"ports": ports, "loadBalancerIP": "192.0.2.1"}, namespace="ns"))
    assert found == OpenService(
        namespace="ns", name="x", node_ports=frozenset({30080}), ports=frozenset({80, 443}), address="192.0.2.1"
    )
    assert survey.SERVICES(item({"type": "ExternalName"}, namespace="ns")) == OpenService(namespace="ns", name="x")


def test_namespaces() -> None:
    found = survey.NAMESPACES(item(labels={OWNER_LABEL: "t1"}, annotations={SOURCE_ANNOTATION: "entry/t1"}))
    assert found == OwnedNamespace(name="x", tenant="t1", source="entry/t1")
    assert survey.NAMESPACES(item()) is None


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"metadata": {"name": 7}}', b'\xff{"metadata": {"name": "x"}}'])
def test_what_nobody_can_read_is_left_out(read: Reader[Any], body: bytes) -> None:
    assert read(msgspec.Raw(body)) is None


def test_depth_is_no_defence() -> None:
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    assert survey.PLUGINS(msgspec.Raw(b'{"metadata":{"name":"x","namespace":"ns"},"spec":{"defaultConfig":%s}}' % deep))
