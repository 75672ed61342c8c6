from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.migrate.decode import add_object
from entryproxy.migrate.inventory import Inventory, Path, Rule, TlsBlock, wanted_secrets
from entryproxy.model.objects import TENANT_LABEL
from tests.migrate.builders import ingress


def read(*objects: object, with_keys: bool = False) -> Inventory:
    inventory = Inventory()
    for one in objects:
        add_object(inventory, one, "a.yaml", with_keys=with_keys)
    return inventory


def make(kind: str, name: str = "x", namespace: str | None = "ns", version: str = "v1", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **rest.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def make_ingress(**rest: Any) -> dict[str, Any]:
    return make("Ingress", version="networking.k8s.io/v1", **{"spec": {}, **rest})


def test_an_ingress() -> None:
    spec = {
        "ingressClassName": "nginx",
        "defaultBackend": {"service": {"name": "fallback", "port": {"number": 80}}},
        "tls": [{"hosts": ["A.com."], "secretName": "tls"}, {"secretName": "other"}, {"hosts": ["b.com"]}],
        "rules": [
            {
                "host": "A.com.",
                "http": {
                    "paths": [
                        {
                            "path": "/x",
                            "pathType": "Exact",
                            "backend": {"service": {"name": "s", "port": {"name": "p"}}},
                        },
                        {"backend": {"resource": {"kind": "Bucket", "name": "b"}}},
                    ]
                },
            },
            {"http": None},
        ],
    }
    metadata = {"creationTimestamp": "2024-01-01T00:00:00Z", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    (one,) = read(make_ingress(spec=spec, metadata=metadata)).ingresses.values()
    assert (one.namespace, one.name, one.created, one.origin) == ("ns", "x", "2024-01-01T00:00:00Z", "a.yaml")
    assert (one.ingress_class, one.default_service) == ("nginx", "fallback")
    assert (one.labels, one.annotations) == ({"a": "b"}, {"c": "d"})
    exact = Path(path="/x", kind="Exact", service="s", port="p")
    resource = Path(path="", kind="ImplementationSpecific", service="", port="0")
    assert one.rules == (Rule("a.com", (exact, resource)), Rule("", ()))
    assert one.tls == (TlsBlock(("a.com",), "tls"), TlsBlock((), "other"), TlsBlock(("b.com",), ""))
    assert [str(path) for path in (exact, resource)] == ["/x → s:p", "/ → a resource"]


def test_nulls_as_kubectl_writes_them() -> None:
    metadata = {"creationTimestamp": None, "labels": None, "annotations": None}
    (one,) = read(
        make_ingress(spec={"rules": None, "tls": None, "ingressClassName": None}, metadata=metadata)
    ).ingresses.values()
    assert (one.created, one.labels, one.rules, one.ingress_class) == ("", {}, (), "")


def test_the_same_ingress_twice() -> None:
    inventory = read(make_ingress(spec={"ingressClassName": "a"}), make_ingress(spec={"ingressClassName": "b"}))
    assert [one.ingress_class for one in inventory.ingresses.values()] == ["a"]
    assert [one.message for one in inventory.findings] == ["The same Ingress is in a.yaml already; this one is ignored"]


def test_the_old_way_to_name_a_class_and_no_namespace() -> None:
    one = make_ingress(metadata={"annotations": {"kubernetes.io/ingress.class": "nginx"}}, namespace=None)
    assert [(found.ingress_class, found.namespace) for found in read(one).ingresses.values()] == [("nginx", "default")]


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        (make("Ingress", version="extensions/v1beta1"), "apiVersion", "extensions/v1beta1 is no version"),
        ({"kind": "Ingress", "metadata": {"name": "x"}}, "apiVersion", "Nothing is no version"),
        (
            make_ingress(metadata={"annotations": {"a": True}}),
            "metadata.annotations[...]",
            "Expected `str`, got `bool`",
        ),
        (make_ingress(spec={"rules": [{"host": 1}]}), "spec.rules[0].host", "Expected `str`, got `int`"),
        (make("Secret", type="kubernetes.io/tls", data={"tls.crt": "&%"}), "", ""),
        ({"apiVersion": "v1", "kind": "Service", "metadata": None}, "metadata", "Expected `object`, got `null`"),
    ],
)
def test_what_cannot_be_read_is_said(value: object, field: str, message: str) -> None:
    inventory = read(value)
    (finding,) = inventory.findings
    assert (finding.field, finding.severity, finding.origin) == (field, "error", "a.yaml")
    assert message in finding.message
    assert not inventory.ingresses.values()
    assert not inventory.secrets


def test_keys_only_when_asked_for() -> None:
    data = {"tls.crt": base64.b64encode(b"crt").decode(), "tls.key": base64.b64encode(b"key").decode()}
    secret = make("Secret", type="kubernetes.io/tls", data=data)
    assert read(secret).secrets["ns", "x"].key_pem is None
    found = read(secret, with_keys=True).secrets["ns", "x"]
    assert found.certificate_pem == b"crt"
    assert found.key_pem is not None
    assert found.key_pem.reveal() == b"key"
    assert "key" not in repr(found).replace("key_pem", "")


def test_string_data_wins_and_other_types_are_nothing() -> None:
    both: dict[str, Any] = {"data": {"tls.crt": "AAAA"}, "stringData": {"tls.crt": "text"}}
    assert read(make("Secret", type="kubernetes.io/tls", **both)).secrets["ns", "x"].certificate_pem == b"text"
    assert not read(make("Secret", type="Opaque", **both)).secrets


def test_services() -> None:
    elsewhere = make("Service", spec={"type": "ExternalName", "externalName": "Db.Other.svc.cluster.local."})
    inventory = read(elsewhere, make("Service", "plain", spec={"ports": []}))
    assert inventory.external_names == {("ns", "x"): "db.other.svc.cluster.local"}


def test_namespaces_and_classes() -> None:
    inventory = read(
        make("Namespace", "a", None, metadata={"labels": {TENANT_LABEL: "acme"}}),
        make("Namespace", "b", None),
        make("IngressClass", "public", None, "networking.k8s.io/v1", spec={"controller": "k8s.io/ingress-nginx"}),
        make("IngressClass", "alb", None, "networking.k8s.io/v1", spec={"controller": "ingress.k8s.aws/alb"}),
    )
    assert inventory.tenants == {"a": "acme"}
    assert inventory.classes == {"public"}


def test_config_maps() -> None:
    ours = {"labels": {"app.kubernetes.io/name": "ingress-nginx"}}
    inventory = read(
        make("ConfigMap", "edge-controller", data={"hsts": "false"}, metadata=ours),
        make("ConfigMap", "edge-udp", data={"53": "a/b:53"}, metadata=ours),
        make("ConfigMap", "tcp-services", data={"1": "a/b:1"}),
        make("ConfigMap", "other-controller", data={"a": "b"}),
        make("ConfigMap", "p", data={"settings.yaml": "a: b"}, metadata={"labels": {TENANT_LABEL: "system"}}),
    )
    assert inventory.controller is not None
    assert inventory.controller.reference == "ConfigMap ns/edge-controller"
    assert [one.name for one in inventory.streams] == ["edge-udp", "tcp-services"]
    assert inventory.settings == "a: b"
    assert read(make("ConfigMap", "nginx-configuration")).controller is not None


def test_the_oldest_of_several_controllers() -> None:
    """Whoever may write a ConfigMap may have one that looks like the controller's, with proxies to trust."""

    def controller(name: str, created: str | None) -> dict[str, Any]:
        return make("ConfigMap", "ingress-nginx-controller", name, metadata={"creationTimestamp": created})

    both = controller("b", "2024-01-01T00:00:00Z"), controller("a", "2025-01-01T00:00:00Z")
    for several in (both, reversed(both), (controller("z", None), *both)):
        inventory = read(*several)
        assert inventory.controller is not None
        assert inventory.controller.namespace == "b"


@pytest.mark.parametrize("name", ["--server=http://evil", "a b", "../x", "a/b", "-x", "a\n", "$(id)", "A", "a" * 254])
def test_names_that_no_api_server_takes(name: str) -> None:
    """They would end up in commands, paths and file names."""
    tls = [{"hosts": ["a.com"], "secretName": name}]
    for one in (
        make_ingress(spec={"tls": tls}),
        make_ingress(metadata={"name": name}),
        make_ingress(metadata={"namespace": name}),
        make("Secret", name, type="kubernetes.io/tls", data={}),
    ):
        inventory = read(one)
        assert [finding.severity for finding in inventory.findings] == ["error"]
        assert not inventory.ingresses and not inventory.secrets


def test_the_secrets_that_are_wanted() -> None:
    several = [ingress("a.com"), ingress("b.com", secret=""), ingress("c.com", namespace="a"), ingress("d.com")]
    assert wanted_secrets(several) == [("a", "tls"), ("acme-gateway", "tls")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
KINDS = st.sampled_from(["Ingress", "Service", "Secret", "ConfigMap", "Namespace", "IngressClass", "Pod", None, 1])


@given(KINDS, JSON, JSON, st.sampled_from(["networking.k8s.io/v1", "v1", None]))
def test_no_object_is_too_strange(kind: object, metadata: object, spec: object, version: object) -> None:
    read({"kind": kind, "apiVersion": version, "metadata": metadata, "spec": spec, "data": spec}, spec, with_keys=True)
