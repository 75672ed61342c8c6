from __future__ import annotations

from typing import Any

import pytest

from entryproxy.controller.drift import Drift, adapted, is_same
from entryproxy.kubernetes.errors import ApiError
from tests.cluster.cluster import Cluster
from tests.controller.installed import RecordingClient, recording_client

LIVE: dict[str, Any] = {
    "metadata": {"name": "one", "labels": {"a": "b"}, "resourceVersion": "7", "managedFields": [{"manager": "helm"}]},
    "spec": {"replicas": 2},
    "status": {"replicas": 2},
}


@pytest.mark.parametrize(
    ("changes", "metadata", "expected"),
    [
        ({}, {}, True),
        ({"status": {}}, {"resourceVersion": "8", "generation": 3, "managedFields": []}, True),
        ({}, {"uid": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}, True),
        ({"spec": {"replicas": 3}}, {}, False),
        ({"data": {}}, {}, False),
        ({}, {"labels": {}}, False),
        ({}, {"annotations": {"c": "d"}}, False),
        ({}, {"finalizers": ["x"]}, False),
    ],
)
def test_what_counts_as_a_difference(changes: dict[str, Any], metadata: dict[str, Any], expected: bool) -> None:
    other = {**LIVE, **changes, "metadata": {**LIVE["metadata"], **metadata}}
    assert is_same(LIVE, other) is expected
    assert is_same(other, LIVE) is expected


def config_map(namespace: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": namespace}, "data": data}


async def test_an_object_is_verified_by_an_apply_that_changes_nothing(cluster: Cluster, namespace: str) -> None:
    manifest, path = config_map(namespace, key="ours"), f"/api/v1/namespaces/{namespace}/configmaps/one"
    async with recording_client(cluster) as client:
        drift = Drift(client)
        assert await drift.verified(manifest, "us") is None
        await drift.apply(manifest, "us")
        stored = cluster.api.get(path)
        assert await drift.verified(manifest, "us") == stored["metadata"]["resourceVersion"]
        cluster.api.patch(path, {"data": {"other": "theirs"}})
        assert await drift.verified(manifest, "us") is not None  # we never set that key
        cluster.api.patch(path, {"data": {"key": "theirs"}})
        assert await drift.verified(manifest, "us") is None
        assert cluster.api.get(path)["data"] == {"key": "theirs", "other": "theirs"}
        await drift.apply(manifest, "us")
        assert cluster.api.get(path)["data"] == {"key": "ours", "other": "theirs"}
        assert await drift.verified(config_map(namespace, key="other"), "us") is None


async def test_what_is_refused_counts_as_changed(cluster: Cluster, namespace: str) -> None:
    async with recording_client(cluster) as client:
        drift = Drift(client)
        await drift.apply({**config_map(namespace, key="a"), "immutable": True}, "us")
        assert await drift.verified({**config_map(namespace, key="b"), "immutable": True}, "us") is None
        with pytest.raises(ApiError, match="immutable"):
            await drift.apply({**config_map(namespace, key="b"), "immutable": True}, "us")


async def test_an_api_server_that_is_away_says_nothing_of_drift(cluster: Cluster, namespace: str) -> None:
    class Refusing(RecordingClient):
        async def apply(self, *_: Any, **__: Any) -> bytes:
            raise ApiError(503, "ServiceUnavailable", "Not now")

    async with recording_client(cluster) as client:
        await Drift(client).apply(config_map(namespace), "us")
        async with Refusing(client._credentials) as refusing:
            refusing.clear()
            with pytest.raises(ApiError, match="Not now"):
                await Drift(refusing).verified(config_map(namespace), "us")


def test_the_live_configuration_of_higress_wins() -> None:
    """The chart takes it from the cluster when it upgrades, so an edit of it is no drift."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "higress-config"}, "data": {"a": "1"}}
    live = {"metadata": {"name": "higress-config"}, "data": {"a": "2", "b": "3"}}
    assert adapted(manifest, live, "helm")["data"] == {"a": "2", "b": "3"}
    other = {**manifest, "metadata": {"name": "other"}}
    assert adapted(other, live, "helm") == other
