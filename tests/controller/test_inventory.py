"""One look at a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entryproxy.controller import inventory as module
from entryproxy.controller.inventory import take_inventory
from entryproxy.kubernetes.client import connect
from entryproxy.model.objects import PROVISIONED_LABEL
from entryproxy.provision.inventory import Inventory
from entryproxy.provision.objects import OWNER_LABEL, SOURCE_ANNOTATION
from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.cluster import Cluster


async def look(cluster: Cluster, namespace: str = "") -> Inventory:
    async with await connect(str(cluster.admin_kubeconfig)) as client:
        return await take_inventory(client, namespace)


@pytest.fixture
def release(cluster: Cluster, namespace: str) -> Iterator[str]:
    """The usual command, but for the class; the release is called "one"."""
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    settings = (f"global.ingressClass={namespace}", "gateway.service.type=NodePort")
    values = [part for one in settings for part in ("--set", one)]
    cluster.helm("install", "one", str(chart()), "--namespace", namespace, "--skip-crds", *values)
    yield namespace
    cluster.helm("uninstall", "one", "--namespace", namespace)


async def test_a_release_as_the_chart_makes_it(cluster: Cluster, release: str) -> None:
    found = await look(cluster)
    owner = (release, "one")
    (ingress_class,) = (one for one in found.classes if one.name == release)
    assert (ingress_class.controller, ingress_class.owner) == ("higress.io/higress-controller", owner)
    (controller,) = (one for one in found.controllers if one.namespace == release)
    assert (controller.name, controller.owner, controller.class_name) == ("higress-controller", owner, release)
    assert (controller.watched, controller.has_gateway_api, sorted(controller.ports)) == ("", True, [80, 443])
    (gateway,) = (one for one in found.gateways if one.namespace == release)
    assert (gateway.name, gateway.owner) == ("higress-gateway", owner)
    (service,) = (one for one in found.services if one.namespace == release)
    assert service.ports == {80, 443}
    assert len(service.node_ports) == 2
    assert [one.status for one in found.releases[owner]] == ["deployed"]
    versions = {one.name: one.versions for one in found.definitions}
    assert versions["wasmplugins.extensions.higress.io"] == {"v1alpha1"}
    assert "envoyfilters.networking.istio.io" in versions
    assert found.unjudged == ()


async def test_what_we_made(cluster: Cluster, namespace: str) -> None:
    made = {"labels": {OWNER_LABEL: "t1"}, "annotations": {SOURCE_ANNOTATION: f"{namespace}/t1"}}
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": made})
    metadata = {"name": "t1", "namespace": namespace, "labels": {PROVISIONED_LABEL: "t1"}}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    found, without = await look(cluster, namespace), await look(cluster)
    assert [(one.name, one.tenant) for one in found.namespaces if one.name == namespace] == [(namespace, "t1")]
    assert (found.sources, without.sources) == ({f"{namespace}/t1"}, frozenset())


async def test_plugins(cluster: Cluster, release: str) -> None:
    plugin = {"apiVersion": "extensions.higress.io/v1alpha1", "kind": "WasmPlugin"}
    for name, spec in {"all": {"defaultConfig": {"a": 1}}, "some": {"matchRules": []}}.items():
        cluster.api.create({**plugin, "metadata": {"name": name, "namespace": release}, "spec": spec})
    assert [one for one in (await look(cluster)).plugins if one.startswith(release)] == [f"{release}/all"]


async def test_without_any_right(cluster: Cluster, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "nobody")
    async with await connect(str(account.kubeconfig)) as client:
        found = await take_inventory(client, namespace)
    assert {one.resource for one in found.unjudged} >= {
        "configmaps",
        "customresourcedefinitions.apiextensions.k8s.io",
        "daemonsets.apps",
        "deployments.apps",
        "ingressclasses.networking.k8s.io",
        "namespaces",
        "secrets",
        "services",
    }
    assert all("forbidden" in one.message for one in found.unjudged)
    assert not found.is_judged("secrets")
    assert (found.classes, found.releases, found.controllers) == ((), {}, ())


async def test_too_many_of_a_kind(cluster: Cluster, release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OBJECTS_MAX", 0)
    found = await look(cluster)
    assert "There are more than 0" in {one.message for one in found.unjudged}
    assert found.classes == ()


async def test_too_much_of_a_kind(cluster: Cluster, release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 0)
    found = await look(cluster)
    assert "They have more than 0 bytes" in {one.message for one in found.unjudged}
    assert (found.classes, found.gateways) == ((), ())
