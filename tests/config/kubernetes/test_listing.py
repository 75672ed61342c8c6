from __future__ import annotations

import pytest

from entryproxy.config.kubernetes import listing
from entryproxy.config.kubernetes.listing import list_all
from entryproxy.config.kubernetes.resources import config_maps
from entryproxy.kubernetes.client import ApiError, ClusterClient
from tests.kubernetes.api import FakeApi, config_map, status

RESOURCE = config_maps("ns")


@pytest.fixture(autouse=True)
async def objects(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_ITEMS", 2)
    for number in range(5):
        await api.put(RESOURCE.path, config_map(f"c{number}"))


async def test_all_pages(api: FakeApi, client: ClusterClient) -> None:
    items, version = await list_all(client, RESOURCE)
    assert [one.reference for one in items] == [f"ConfigMap ns/c{number}" for number in range(5)]
    assert version == "105"
    assert [query.get("continue") for query in api.lists(RESOURCE.path)] == [None, "105:2", "105:4"]
    assert all(query["labelSelector"] and query["limit"] == "2" for query in api.lists(RESOURCE.path))


async def test_everything_at_once(api: FakeApi, client: ClusterClient) -> None:
    items, _ = await list_all(client, RESOURCE, is_paged=False)
    assert len(items) == 5
    assert [sorted(query) for query in api.lists(RESOURCE.path)] == [["labelSelector"]]


async def test_an_expired_page_is_an_error(api: FakeApi, client: ClusterClient) -> None:
    api.fail(status(410, "Expired"), when=lambda request: "continue" in request.query)
    with pytest.raises(ApiError) as caught:
        await list_all(client, RESOURCE)
    assert caught.value.is_gone


async def test_there_is_an_end(client: ClusterClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGES_MAX", 2)
    with pytest.raises(ApiError) as caught:
        await list_all(client, RESOURCE)
    assert caught.value.reason == "TooLarge"


async def test_pages_of_large_objects_are_smaller(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write some hundred large objects must not keep all others from being read."""
    monkeypatch.setattr(listing, "PAGE_ITEMS", 6)
    monkeypatch.setattr(listing, "PAGE_BYTES_MAX", 100_000)
    for number in (1, 2, 3):
        await api.put(RESOURCE.path, config_map(f"c{number}", {"tenant.yaml": "x" * 60_000}))
    items, _ = await list_all(client, RESOURCE)
    assert [one.reference for one in items] == [f"ConfigMap ns/c{number}" for number in range(5)]
    assert [int(query["limit"]) for query in api.lists(RESOURCE.path)] == [6, 1, 2, 1, 2, 1, 2]


async def test_an_object_larger_than_any_page(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_BYTES_MAX", 100)
    with pytest.raises(ApiError) as caught:
        await list_all(client, RESOURCE)
    assert caught.value.reason == "TooLarge"
    assert [query["limit"] for query in api.lists(RESOURCE.path)] == ["2", "1"]
