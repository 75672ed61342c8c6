from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from entryproxy.controller.metadata import list_metadata, together
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
        assert await list_metadata(client, "/apis/none.example.com/v1/things") == []
        with pytest.raises(ApiError) as bad:
            await list_metadata(client, path, labels="=")
        assert bad.value.status == 400


@pytest.mark.parametrize("page", [b"[]", b'{"items": [{}]}', b'{"items": [{"metadata": {"name": 7}}]}', b"\xff", b"{"])
async def test_what_is_no_list_is_an_error(page: bytes) -> None:
    class Broken(ClusterClient):
        def __init__(self) -> None: ...

        async def list(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
            yield page

    with pytest.raises(ApiError, match="list"):
        await list_metadata(Broken(), "/api/v1/pods")


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
