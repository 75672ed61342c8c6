from __future__ import annotations

from typing import Any

import msgspec
import pytest

from entryproxy.controller.replicas import FIELD_MANAGER, keep_replicas, without_foreign_replicas
from tests.cluster.cluster import Cluster
from tests.controller.installed import RecordingClient, recording_client

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


async def apply(client: RecordingClient, namespace: str, replicas: int | None) -> None:
    """As Helm does."""
    body = msgspec.json.encode(manifest(namespace, replicas))
    await client.apply(path_in(namespace), body, MANAGER, {"force": "true"})


def path_in(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}"


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
    managers = {one["manager"] for one in cluster.api.get(path_in(namespace))["metadata"]["managedFields"]}
    assert FIELD_MANAGER not in managers
