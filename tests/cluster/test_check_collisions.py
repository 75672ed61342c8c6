"""`entryproxy check` in a cluster where releases of the chart collide in every way in which they can live on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from entryproxy.cli import judging
from entryproxy.provision.objects import OWNER_LABEL, SOURCE_ANNOTATION
from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.cluster import Cluster
from tests.cluster.operators import Operator, allow, rule
from tests.cluster.operators import operator as operator


class Releases:
    """Installs by Helm, with everything that the chart's defaults bring along, and takes it away again."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._installed: list[tuple[str, str]] = []

    def install(self, name: str, namespace: str, *settings: str, options: tuple[str, ...] = ()) -> None:
        values = [part for one in settings for part in ("--set", one)]
        self._installed.append((name, namespace))
        self.cluster.helm("install", name, str(chart()), "--namespace", namespace, "--skip-crds", *options, *values)

    def remove_all(self) -> None:
        while self._installed:
            name, namespace = self._installed.pop()
            self.cluster.helm("uninstall", name, "--namespace", namespace, "--ignore-not-found")


@pytest.fixture
def releases(cluster: Cluster) -> Iterator[Releases]:
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    made = Releases(cluster)
    yield made
    made.remove_all()


def check(operator: Operator, *namespaces: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Findings that name one of the namespaces, by reason and object. Other tests' leavings count for the status only,
    which has to fit."""
    status = operator.run("check", "-o", "json")
    answer = json.loads(operator.out)
    assert status == (1 if answer["summary"]["errors"] else 0)
    return {
        (one["reason"], one["object"]): one
        for one in answer["findings"]
        if any(name in f"{one['object']} {one['message']}/".replace("/", " ").split() for name in namespaces)
    }


def test_one_class_for_two(operator: Operator, releases: Releases, cluster: Cluster) -> None:
    """What Helm refuses at first, people get by --take-ownership."""
    one, two = cluster.new_namespace("check"), cluster.new_namespace("check")
    releases.install("one", one, f"global.ingressClass={one}", "global.enableGatewayAPI=false")
    assert check(operator, one, two) == {}
    releases.install(
        *("two", two, f"global.ingressClass={one}", "global.enableGatewayAPI=false"), options=("--take-ownership",)
    )
    found = check(operator, one, two)
    assert set(found) == {("ClassConflict", f"IngressClass {one}"), ("ForeignClass", f"IngressClass {one}")}
    conflict, foreign = found["ClassConflict", f"IngressClass {one}"], found["ForeignClass", f"IngressClass {one}"]
    assert (conflict["severity"], foreign["severity"]) == ("error", "error")
    assert f"Deployment {one}/higress-controller and Deployment {two}/higress-controller" in conflict["message"]
    assert f"release {two}/two" in foreign["message"]
    assert operator.run("check") == 1
    assert f"error: IngressClass {one}: Deployment {one}/higress-controller and " in operator.out


def test_two_gateways_in_a_namespace(operator: Operator, releases: Releases, cluster: Cluster) -> None:
    """As guides describe it for small clusters; nothing of it is an error, and a plugin reaches both."""
    name = cluster.new_namespace("check")
    releases.install("one", name, f"global.ingressClass={name}", "global.enableGatewayAPI=false")
    second = (f"global.ingressClass={name}-2", "gateway.name=second", "controller.name=second-controller")
    releases.install("two", name, *second, "global.enableGatewayAPI=false", options=("--take-ownership",))
    plugin = {"apiVersion": "extensions.higress.io/v1alpha1", "kind": "WasmPlugin", "spec": {"defaultConfig": {"a": 1}}}
    cluster.api.create({**plugin, "metadata": {"name": "limits", "namespace": name}})
    found = check(operator, name)
    assert set(found) == {("SharedNamespace", f"Namespace {name}"), ("SharedPlugin", f"WasmPlugin {name}/limits")}
    assert {one["severity"] for one in found.values()} == {"warning"}
    shared = found["SharedPlugin", f"WasmPlugin {name}/limits"]
    assert f"Deployment {name}/higress-gateway and Deployment {name}/second" in shared["message"]
    assert shared["field"] == "spec.defaultConfig"


def test_the_gateway_api_twice(operator: Operator, releases: Releases, cluster: Cluster) -> None:
    """On by default, and without its kinds in the cluster nothing to fight over yet."""
    one, two = cluster.new_namespace("check"), cluster.new_namespace("check")
    releases.install("one", one, f"global.ingressClass={one}")
    releases.install("two", two, f"global.ingressClass={two}")
    found = check(operator, one, two)
    assert {(one["reason"], one["severity"]) for one in found.values()} == {("GatewayApiConflict", "warning")}


def test_no_class_takes_everybodys(operator: Operator, releases: Releases, cluster: Cluster) -> None:
    one, two = cluster.new_namespace("check"), cluster.new_namespace("check")
    releases.install("one", one, f"global.ingressClass={one}", "global.enableGatewayAPI=false")
    releases.install("two", two, "global.ingressClass=", "global.enableGatewayAPI=false")
    found = check(operator, one, two)
    assert found["GreedyClass", f"Deployment {two}/higress-controller"]["severity"] == "error"


def test_a_release_that_was_broken_off(
    operator: Operator, releases: Releases, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = cluster.new_namespace("check")
    releases.install("one", name, f"global.ingressClass={name}", "global.enableGatewayAPI=false")
    secret = f"/api/v1/namespaces/{name}/secrets/sh.helm.release.v1.one.v1"
    cluster.api.patch(secret, {"metadata": {"labels": {"status": "pending-upgrade"}}})
    assert check(operator, name) == {}
    monkeypatch.setattr(judging, "time", SimpleNamespace(time=lambda: time.time() + 3600))
    found = check(operator, name)
    assert set(found) == {("StuckRelease", f"Release {name}/one")}
    assert "Revision 1 is pending-upgrade for 60 min" in found["StuckRelease", f"Release {name}/one"]["message"]


def test_a_namespace_that_was_left_over(operator: Operator, cluster: Cluster) -> None:
    left, kept = cluster.new_namespace("check"), cluster.new_namespace("check")
    operator.declare("kept")
    for namespace, tenant in ((left, "gone"), (kept, "kept")):
        source = f"{operator.namespace}/{tenant}"
        made = {"labels": {OWNER_LABEL: tenant}, "annotations": {SOURCE_ANNOTATION: source}}
        cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": made})
    found = check(operator, left, kept)
    assert set(found) == {("LeftOver", f"Namespace {left}")}
    assert f"whose ConfigMap {operator.namespace}/gone is gone" in found["LeftOver", f"Namespace {left}"]["message"]


def test_tenants_that_would_collide(operator: Operator, releases: Releases, cluster: Cluster) -> None:
    """Before anything of theirs is there; one that asks for no release has nothing to collide."""
    somebody = cluster.new_namespace("check")
    tenant = f"{somebody}-t"
    releases.install("one", somebody, f"global.ingressClass={tenant}", "global.enableGatewayAPI=false")
    operator.declare(tenant, {"tenant.yaml": "release: {}"})
    operator.declare("t2", {"tenant.yaml": f"release: {{}}\ngateway: {{namespace: {tenant}-gateway}}"})
    operator.declare("t3", {"tenant.yaml": "release: {values: {global: {ingressClass: nginx}}}"})
    operator.declare("t4", {"tenant.yaml": f"release: {{enabled: false}}\ngateway: {{namespace: {tenant}-gateway}}"})
    found = check(operator, operator.namespace)
    errors = {(one["tenant"], one["reason"], one["field"]) for one in found.values() if one["severity"] == "error"}
    assert errors == {
        (tenant, "ClassTaken", "tenant.yaml: $.release"),
        ("t2", "NamespaceTaken", "tenant.yaml: $.gateway.namespace"),
        ("t3", "ReservedValue", "tenant.yaml: $.release.values.global.ingressClass"),
    }


def reader_of(operator: Operator, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Somebody who may list tenants' objects, and nothing else."""
    kubeconfig = allow(operator.cluster, operator.namespace, "reader", rule(["configmaps", "secrets"], "list"))
    return Operator(operator.cluster, operator.namespace, capsys, kubeconfig)


def test_less_rights_are_warnings(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    operator.declare("t1", {"tenant.yaml": "release: {}"})
    reader = reader_of(operator, capsys)
    role = f"services-of-{operator.namespace}"
    operator.cluster.kubectl("create", "clusterrole", role, "--verb=list", "--resource=services")
    account = f"--serviceaccount={operator.namespace}:reader"
    operator.cluster.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", account)
    assert reader.run("check") == 0
    for resource in ("deployments.apps", "ingressclasses.networking.k8s.io", "secrets", "namespaces"):
        assert f"warning: {resource} */?: Not judged, you may not list {resource} (" in reader.out
    assert "configmaps */?" not in reader.out
    assert "services */?" not in reader.out
    assert "0 errors" in reader.out


def test_who_sees_no_gateway_at_all_is_told_once(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    operator.declare("t1", {"tenant.yaml": "release: {}"})
    reader = reader_of(operator, capsys)
    assert reader.run("check") == 0
    assert "Not judged" not in reader.out
    assert reader.err.count("gateways aren't judged against each other") == 1
