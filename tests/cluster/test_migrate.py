"""`entryproxy migrate` against a real API server: what it reads, what it writes, and that the entry takes it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import tools
from tests.certificates import Authority
from tests.cluster.operators import DOMAIN, LABEL, Operator, allow, rule
from tests.cluster.operators import operator as operator

HOST = "shop.customer.com"


@pytest.fixture
def shop(operator: Operator) -> Iterator[str]:
    """A namespace with everything that an Ingress of ingress-nginx may have; its class has the same name."""
    cluster = operator.cluster
    namespace = cluster.new_namespace()
    pair = Authority().issue(HOST)
    material = {"tls.crt": pair.chain_pem, "tls.key": pair.key_pem}
    labels = {"app.kubernetes.io/name": "ingress-nginx"}
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": {LABEL: "acme"}}})
    for one in (
        make("v1", "Secret", "shop-tls", namespace, type="kubernetes.io/tls", stringData=material),
        make("v1", "ConfigMap", "x-controller", namespace, labels=labels, data={"proxy-body-size": "8m"}),
        make("v1", "Service", "legacy", namespace, spec={"type": "ExternalName", "externalName": "legacy.example.org"}),
        ingress("shop", namespace, HOST, "shop-tls"),
        ingress("lost", namespace, "lost.customer.com", "nowhere"),
    ):
        cluster.api.create(one)
    yield namespace
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/configmaps/x-controller")  # or it is the oldest for all others


def make(version: str, kind: str, name: str, namespace: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": rest.pop("labels", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def ingress(name: str, namespace: str, host: str, secret: str) -> dict[str, Any]:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "legacy", "port": {"number": 80}}}}
    spec = {
        "ingressClassName": namespace,
        "tls": [{"hosts": [host], "secretName": secret}],
        "rules": [{"host": host, "http": {"paths": [path]}}],
    }
    return make("networking.k8s.io/v1", "Ingress", name, namespace, spec=spec)


def test_what_is_read(operator: Operator, shop: str) -> None:
    assert operator.run("migrate", "-o", "json", "--ingress-class", shop) == 1
    report = json.loads(operator.out)
    (tenant,) = report["tenants"]
    assert (tenant["id"], tenant["because"]) == ("acme", [f"namespace {shop} carries our label"])
    assert {one["host"]: [x["reason"] for x in one["conflicts"]] for one in tenant["hosts"]} == {
        "lost.customer.com": ["MissingSecret"],
        HOST: [],
    }
    assert report["settings"]["source"] == f"ConfigMap {shop}/x-controller"
    assert {x["reason"] for one in report["ingresses"] for x in one["findings"]} == {"ExternalService"}


def test_what_anybody_with_a_namespace_may_pretend(
    operator: Operator, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """To be the platform's settings, or ingress-nginx's, with somebody's own address among the trusted proxies."""
    elsewhere = operator.cluster.new_namespace()
    without_settings = Operator(operator.cluster, elsewhere + "-entry", capsys)
    time.sleep(1.0 - time.time() % 1.0)  # creationTimestamps are in whole seconds
    labels = {"app.kubernetes.io/name": "ingress-nginx"}
    evil = {"use-forwarded-headers": "true", "proxy-real-ip-cidr": "203.0.113.7/32"}
    for name, data, more in (
        ("p", {"settings.yaml": "systemDomain: evil.example"}, {LABEL: "system"}),
        ("a-controller", evil, {}),
    ):
        operator.cluster.api.create(make("v1", "ConfigMap", name, elsewhere, labels={**labels, **more}, data=data))
    assert without_settings.run("migrate", "-o", "json", "--ingress-class", shop, "--system-domain", DOMAIN) == 1
    operator.cluster.api.delete(f"/api/v1/namespaces/{elsewhere}/configmaps")
    report = json.loads(without_settings.out)
    assert report["settings"]["source"] == f"ConfigMap {shop}/x-controller"
    assert report["settings"]["isWritten"]
    assert "trustedProxies" not in report["settings"]["document"]
    assert [one["object"] for one in report["findings"] if one["reason"] == "OtherController"] == [
        f"ConfigMap {elsewhere}/a-controller"
    ]


def test_what_is_written_is_in_force(operator: Operator, shop: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ["--ingress-class", shop, "--system-domain", DOMAIN, "--output-dir", str(out), "--with-secrets"]
    assert operator.run("migrate", *wanted) == 1
    assert "PRIVATE" not in operator.out
    for path in out.glob("*.yaml"):
        if path.name != "settings.yaml":  # the fixture's namespace has settings
            operator.cluster.apply(path.read_text())
    assert operator.run("check") == 0
    assert operator.run("explain", HOST, "-o", "json") == 0
    explained = json.loads(operator.out)
    assert (explained["tenant"], explained["certificate"]["covered"]) == ("acme", True)


def test_the_commands_copy_secrets(operator: Operator, shop: str, tmp_path: Path) -> None:
    operator.cluster.api.delete(f"/apis/networking.k8s.io/v1/namespaces/{shop}/ingresses/lost")
    out = tmp_path / "out"
    operator.run("migrate", "--ingress-class", shop, "--system-domain", DOMAIN, "--output-dir", str(out))
    kubectl = tools.find("kubectl")
    assert kubectl is not None
    environment = {
        "PATH": f"{Path(kubectl).parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(operator.cluster.admin_kubeconfig),
        "HOME": str(tmp_path),
    }
    for _ in range(2):  # it can be run again
        subprocess.run(["bash", str(out / "copy-secrets.sh")], env=environment, check=True, timeout=60)
    operator.cluster.apply((out / "tenant-acme.yaml").read_text())
    assert operator.names("secrets") == ["acme-shop-tls"]
    source = operator.cluster.api.get(f"/api/v1/namespaces/{shop}/secrets/shop-tls")
    assert operator.data("acme-shop-tls", "secrets") == source["data"]
    assert operator.run("explain", HOST, "-o", "json") == 0


def test_few_rights(operator: Operator, shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = Operator(
        operator.cluster, operator.namespace, capsys, allow(operator.cluster, operator.namespace, "nobody")
    )
    assert nobody.run("migrate") == 1
    assert "can't list ingresses" in nobody.err
    assert "a ClusterRole with the verb" in nobody.err
    operator.cluster.api.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"ingresses-{shop}"},
            "rules": [{**rule(["ingresses"], "list"), "apiGroups": ["networking.k8s.io"]}],
        }
    )
    reader = allow(operator.cluster, operator.namespace, "reader")
    operator.cluster.kubectl(
        "create",
        "clusterrolebinding",
        f"reader-{shop}",
        f"--clusterrole=ingresses-{shop}",
        f"--serviceaccount={operator.namespace}:reader",
    )
    somebody = Operator(operator.cluster, operator.namespace, capsys, reader)
    assert somebody.run("migrate", "-o", "json", "--ingress-class", shop, "--tenant-of", f"{shop}=acme") == 0
    forbidden = [one["object"] for one in json.loads(somebody.out)["findings"] if one["reason"] == "Forbidden"]
    assert forbidden == [
        "IngressClass",
        "Namespace",
        "Service",
        "ConfigMap",
        "ConfigMap",
        f"Secret {shop}/nowhere",
        f"Secret {shop}/shop-tls",
    ]
