from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from entryproxy.controller.metadata import list_metadata, list_named, together
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from tests.cluster.cluster import Cluster
from tests.controller.installed import recording_client


async def test_lists_by_label_and_by_name(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    for name, colour in (("one", "red"), ("two", "blue")):
        metadata = {"name": name, "namespace": namespace, "labels": {"colour": colour}}
        cluster.api.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "x"}})
    async with recording_client(cluster) as client:
        assert [one.name for one in await list_metadata(client, path)] == ["one", "two"]
        (red,) = await list_metadata(client, path, labels="colour=red")
        assert (red.name, red.namespace, red.labels) == ("one", namespace, {"colour": "red"})
        assert red.resource_version
        assert [one.name for one in await list_metadata(client, path, name="two")] == ["two"]
        assert await list_metadata(client, path, labels="colour=red", name="two") == []
        assert [one.name for one in await list_metadata(client, path, keep=lambda one: one.name > "p")] == ["two"]
        assert await list_metadata(client, "/apis/none.example.com/v1/things") == []
        with pytest.raises(ApiError) as bad:
            await list_metadata(client, path, labels="=")
        assert bad.value.status == 400


async def test_what_others_have_made_costs_nothing(cluster: Cluster, namespace: str) -> None:
    """A tenant's admins may make any number of ConfigMaps with Helm's label, each with annotations of 256 KiB."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"

    def make(*names: str) -> None:
        labels = {"colour": "red"}
        metadata = [{"name": name, "namespace": namespace, "labels": labels} for name in names]
        for one in metadata:
            cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": one})

    async with recording_client(cluster) as client:

        async def look(*names: str) -> tuple[set[str], int, int]:
            """What is found, in how many requests, among how many objects."""
            client.clear()
            found = await list_named(client, path, names, labels="colour=red")
            return {one.name for one in found}, len(client.listed), client.received

        make("u1", "u2", "u3")
        assert await look("u1", "u2", "u3") == ({"u1", "u2", "u3"}, 1, 3)
        assert await look("u1", "u2", "u3", "gone") == ({"u1", "u2", "u3"}, 1, 3)
        assert await look("u1") == ({"u1"}, 1, 1)
        assert await look("gone") == (set(), 1, 0)
        assert await look() == (set(), 0, 0)
        make(*(f"stranger-{number}" for number in range(12)))
        assert await look("u1", "u2", "gone") == ({"u1", "u2"}, 4, 5)
        assert await look("u1", "stranger-0") == ({"u1", "stranger-0"}, 2, 3)
        client.clear()
        assert await list_named(client, "/apis/none.example.com/v1/things", ("a", "b")) == []


@pytest.mark.parametrize("page", [b"[]", b'{"items": [{}]}', b'{"items": [{"metadata": {"name": 7}}]}', b"\xff", b"{"])
async def test_what_is_no_list_is_an_error(page: bytes) -> None:
    class Broken(ClusterClient):
        def __init__(self) -> None: ...

        async def list(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
            yield page

    with pytest.raises(ApiError, match="list"):
        await list_metadata(Broken(), "/api/v1/pods")
    with pytest.raises(ApiError, match="list"):
        await list_named(Broken(), "/api/v1/pods", ("a", "b"))


async def test_nothing_goes_on_behind_a_failure() -> None:
    ended = []

    async def work(number: int, fails: bool = False) -> int:
        await asyncio.sleep(0.01 * number)
        ended.append(number)
        if fails:
            raise ApiError(500, "Broken", f"{number}")
        return number

    assert await together(work(2), work(1)) == [2, 1]
    ended.clear()
    with pytest.raises(ApiError, match="1"):
        await together(work(1, fails=True), work(3, fails=True), work(5))
    assert ended == [1, 3, 5]
    assert await together() == []
