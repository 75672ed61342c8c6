"""Against the real API server: what stands on the ConfigMap afterwards, and what doesn't."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from entryproxy.controller.statuses import clear_status, write_status
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.objects import STATUS_ANNOTATION
from entryproxy.model.status import TenantStatus, decode_status
from tests.cluster.cluster import Cluster

READY = TenantStatus(phase="Ready", revision=2)
FAILED = TenantStatus(phase="Failed", message='"é" \n')


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with await connect(str(cluster.admin_kubeconfig)) as one:
        yield one


class Place:
    """A tenant's ConfigMap."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.api, self.namespace = cluster.api, namespace
        self.path = f"/api/v1/namespaces/{namespace}/configmaps/acme"
        self.uid = self.make()

    def make(self) -> str:
        metadata = {"namespace": self.namespace, "name": "acme", "annotations": {"own": "1"}, "labels": {"a": "b"}}
        made = self.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}})
        uid: str = made["metadata"]["uid"]
        return uid

    def read(self) -> dict[str, Any]:
        document: dict[str, Any] = self.api.get(self.path)
        return document

    def status(self) -> TenantStatus | None:
        return decode_status(self.read()["metadata"]["annotations"].get(STATUS_ANNOTATION, ""))


@pytest.fixture
def place(cluster: Cluster, namespace: str) -> Place:
    return Place(cluster, namespace)


async def test_written_changed_and_cleared(client: ClusterClient, place: Place) -> None:
    which = (place.namespace, "acme", place.uid)
    await write_status(client, *which, READY)
    assert place.status() == READY
    await write_status(client, *which, FAILED, READY)
    assert place.status() == FAILED
    await clear_status(client, *which)
    document = place.read()
    assert (document["metadata"]["annotations"], document["data"]) == ({"own": "1"}, {"k": "v"})
    assert document["metadata"]["labels"] == {"a": "b"}


async def test_what_stands_there_is_not_written_again(client: ClusterClient, place: Place) -> None:
    await write_status(client, place.namespace, "acme", place.uid, READY, READY)
    assert place.status() is None


async def test_what_somebody_wrote_over_is_taken_back(client: ClusterClient, place: Place) -> None:
    await write_status(client, place.namespace, "acme", place.uid, READY)
    place.api.patch(place.path, {"metadata": {"annotations": {STATUS_ANNOTATION: "mine"}}})
    await write_status(client, place.namespace, "acme", place.uid, READY, None)
    assert place.status() == READY


async def test_a_config_map_that_is_gone_or_another_one(client: ClusterClient, place: Place) -> None:
    old = place.uid
    place.api.delete(place.path)
    await write_status(client, place.namespace, "acme", old, READY)
    await clear_status(client, place.namespace, "acme", old)
    assert (
        place.api.get(f"/api/v1/namespaces/{place.namespace}/configmaps?fieldSelector=metadata.name%3Dacme")["items"]
        == []
    )  # and none was made
    place.make()
    await write_status(client, place.namespace, "acme", old, READY)
    assert place.status() is None


async def test_what_is_refused_is_told(cluster: Cluster, place: Place) -> None:
    account = cluster.service_account_kubeconfig(place.namespace, "nobody")
    async with await connect(str(account.kubeconfig)) as client:
        with pytest.raises(ApiError) as refused:
            await write_status(client, place.namespace, "acme", place.uid, READY)
    assert refused.value.status == 403
