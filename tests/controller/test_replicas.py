from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from entryproxy.controller.replicas import FIELD_MANAGER, keep_replicas, without_foreign_replicas
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.credentials import load_credentials
from tests.cluster.cluster import Cluster
from tests.controller.installed import recording_client

NAME = "scaled"
MANAGER = "helm"


def entry(manager: str, fields: dict[str, Any] | None) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields}


REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("entries", "is_left_alone"),
    [
        ([], False),
        (None, False),
        ([entry("helm", REPLICAS)], False),
        ([entry("kubectl", {"f:spec": {"f:template": {}}}), entry("x", {"f:status": {"f:replicas": {}}})], False),
        ([entry("kubectl", None), entry("kubectl", {"f:spec": None})], False),
        ([entry("helm", {}), entry("kubectl", REPLICAS)], True),
        ([entry("helm", REPLICAS), entry("kube-controller-manager", REPLICAS)], True),
    ],
)
def test_replicas_belong_to_whoever_scaled_last(entries: list[Any] | None, is_left_alone: bool) -> None:
    manifest = {"spec": {"replicas": 2, "paused": False}}
    made = without_foreign_replicas(manifest, {"metadata": {"managedFields": entries}}, "helm")
    assert made["spec"] == ({"paused": False} if is_left_alone else manifest["spec"])
    assert manifest["spec"] == {"replicas": 2, "paused": False}
    for other in ({}, {"spec": {"paused": True}}):
        assert without_foreign_replicas(other, {"metadata": {"managedFields": entries}}, "helm") == other


def manifest(namespace: str, replicas: int | None) -> dict[str, Any]:
    """As a chart renders it before and after autoscaling begins."""
    labels = {"app": NAME}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "one", "image": "one"}]}}
    number = {"replicas": replicas} if replicas is not None else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {**number, "selector": {"matchLabels": labels}, "template": template},
    }


async def apply(client: ClusterClient, namespace: str, replicas: int | None) -> None:
    """As Helm does."""
    body = msgspec.json.encode(manifest(namespace, replicas))
    await client.apply(path_in(namespace), body, MANAGER, {"force": "true"})


def path_in(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}"


def replicas_managers(cluster: Cluster, namespace: str) -> set[str]:
    return {one["manager"] for one in cluster.api.get(path_in(namespace))["metadata"]["managedFields"]}


@pytest.mark.parametrize(("is_kept", "left"), [(False, 1), (True, 4)])
async def test_a_number_that_is_said_no_more(is_kept: bool, left: int, cluster: Cluster, namespace: str) -> None:
    def replicas() -> int:
        return int(cluster.api.get(path_in(namespace))["spec"]["replicas"])

    async with recording_client(cluster) as client:
        await apply(client, namespace, 4)
        if is_kept:
            await keep_replicas(client, namespace, NAME, MANAGER)
        await apply(client, namespace, None)
        assert replicas() == left
        # Neither an autoscaler nor a manifest that says a number again is held up by it.
        cluster.api.patch(f"{path_in(namespace)}/scale", {"spec": {"replicas": 5}})
        await apply(client, namespace, None)
        assert replicas() == 5
        await apply(client, namespace, 2)
        assert replicas() == 2


async def test_what_somebody_scales_is_left_alone(cluster: Cluster, namespace: str) -> None:
    async with recording_client(cluster) as client:
        await keep_replicas(client, namespace, NAME, MANAGER)
        assert not cluster.api.exists(path_in(namespace))
        await apply(client, namespace, 4)
        cluster.api.patch(f"{path_in(namespace)}/scale", {"spec": {"replicas": 5}})
        await keep_replicas(client, namespace, NAME, MANAGER)
    assert FIELD_MANAGER not in replicas_managers(cluster, namespace)


class OvertakenClient(ClusterClient):
    """Somebody else writes each time after it has read."""

    overtake: Callable[[], object]

    async def get(self, path: str, query: Mapping[str, str] = {}, bytes_max: int | None = None) -> bytes:
        body = await super().get(path, query, bytes_max)
        self.overtake()
        return body


async def keep_overtaken(cluster: Cluster, namespace: str, overtake: Callable[[], object]) -> None:
    async with OvertakenClient(await load_credentials(str(cluster.admin_kubeconfig), "")) as client:
        await apply(client, namespace, 4)
        client.overtake = overtake
        await keep_replicas(client, namespace, NAME, MANAGER)


async def test_a_deployment_whose_status_changes_meanwhile(cluster: Cluster, namespace: str) -> None:
    """Its controller does that at any time, and most of all when the manifest has just changed."""
    times = itertools.count()

    def overtake() -> None:
        cluster.api.patch(path_in(namespace), {"metadata": {"annotations": {"at": str(next(times))}}})

    await keep_overtaken(cluster, namespace, overtake)
    assert FIELD_MANAGER in replicas_managers(cluster, namespace)
    assert next(times) == 1


async def test_a_deployment_that_is_scaled_meanwhile(cluster: Cluster, namespace: str) -> None:
    scale = {"spec": {"replicas": 5}}
    await keep_overtaken(cluster, namespace, lambda: cluster.api.patch(f"{path_in(namespace)}/scale", scale))
    assert cluster.api.get(path_in(namespace))["spec"]["replicas"] == 5
    assert FIELD_MANAGER not in replicas_managers(cluster, namespace)


async def test_a_deployment_that_is_deleted_meanwhile(cluster: Cluster, namespace: str) -> None:
    await keep_overtaken(cluster, namespace, lambda: cluster.api.delete(path_in(namespace)))
    assert not cluster.api.exists(path_in(namespace))
