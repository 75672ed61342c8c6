from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from entryproxy.config.kubernetes import listing, reflector
from entryproxy.config.kubernetes.resources import secrets
from entryproxy.kubernetes import client as client_module
from entryproxy.kubernetes.client import ClusterClient
from tests.config.kubernetes.following import Following, following
from tests.kubernetes.api import FakeApi, Manifest, secret, status

RESOURCE = secrets("ns")
PATH = RESOURCE.path


@pytest.fixture
async def follow(api: FakeApi, client: ClusterClient) -> AsyncIterator[Following]:
    """Two objects, listed and watched."""
    await api.put(PATH, secret("a"))
    await api.put(PATH, secret("b"))
    async with following(RESOURCE, client) as one:
        await one.until(lambda: api.watches)
        yield one


def is_list(request: object) -> bool:
    return "watch" not in request.query  # type: ignore[attr-defined]


def is_watch(request: object) -> bool:
    return not is_list(request)


def broken(name: str) -> Manifest:
    return {**secret(name), "data": {"tls.crt": "%%%"}}


async def test_list_then_watch(api: FakeApi, follow: Following) -> None:
    await follow.until(lambda: sorted(follow.names) == ["a", "b"])
    assert follow.reflector.is_listed
    assert api.lists(PATH) == [
        {"labelSelector": "entryproxy.higress.io/tenant", "fieldSelector": "type=kubernetes.io/tls", "limit": "500"}
    ]
    assert api.watched(PATH) == [
        {
            "labelSelector": "entryproxy.higress.io/tenant",
            "fieldSelector": "type=kubernetes.io/tls",
            "resourceVersion": "102",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "300",
            "watch": "true",
        }
    ]


async def test_events(api: FakeApi, follow: Following) -> None:
    await api.put(PATH, secret("c"))
    await api.put(PATH, secret("a", "new"))
    await api.delete(PATH, "b")
    await follow.until(lambda: follow.names == {"a": "104", "c": "103"})
    assert len(api.requests) == 2
    assert not follow.waits


async def test_it_is_noticed_when_something_changed_and_only_then(api: FakeApi, follow: Following) -> None:
    before = follow.notices
    await api.put(PATH, secret("a"))  # another version, nothing that we read
    await api.bookmark(PATH)
    await api.put(PATH, secret("c"))
    await follow.until(lambda: "c" in follow.names)
    assert follow.notices == before + 1


async def test_an_ended_watch_is_resumed_from_the_last_event_or_bookmark(api: FakeApi, follow: Following) -> None:
    await api.put(PATH, secret("c"))
    await follow.until(lambda: "c" in follow.names)
    api.end()
    await follow.until(lambda: len(api.watched(PATH)) == 2 and api.watches)
    await api.bookmark(PATH)
    await api.bookmark(PATH)
    await asyncio.sleep(0.01)
    api.end()
    await follow.until(lambda: len(api.watched(PATH)) == 3)
    assert [query["resourceVersion"] for query in api.watched(PATH)] == ["102", "103", "105"]
    assert len(api.lists(PATH)) == 1
    assert not follow.waits


async def test_a_cut_watch_is_resumed_and_misses_nothing(api: FakeApi, follow: Following) -> None:
    api.fail(status(500, "InternalError"), times=3)
    api.cut()
    await api.put(PATH, secret("c"))
    await follow.until(lambda: "c" in follow.names)
    assert len(api.lists(PATH)) == 1
    assert follow.waits == [0.2] * 4
    assert follow.reflector.health.finding is None  # not worth a word


async def test_a_silent_watch_is_dropped_and_resumed_at_once(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(reflector, "SHORT_WATCH_SECONDS", 0.01)
    async with following(RESOURCE, client) as follow:
        await follow.until(lambda: len(api.watched(PATH)) == 3)
        await api.put(PATH, secret("a"))
        await follow.until(lambda: "a" in follow.names)
        assert not follow.waits
    assert len(api.lists(PATH)) == 1
    assert follow.reflector.health.finding is None


@pytest.mark.parametrize("line", [b'{"type":"ADDED","object":{"metadata"\n', b"<html>\n", b"\xff\n"])
async def test_torn_json_is_resumed_before_it(api: FakeApi, follow: Following, line: bytes) -> None:
    await api.put(PATH, secret("c"))
    await follow.until(lambda: "c" in follow.names)
    await api.say(line)
    await follow.until(lambda: len(api.watched(PATH)) == 2)
    assert api.watched(PATH)[1]["resourceVersion"] == "103"
    assert len(api.lists(PATH)) == 1


async def test_what_can_never_be_read_is_listed_over(api: FakeApi, follow: Following) -> None:
    await api.say(b"{\n")
    await follow.until(lambda: len(api.watched(PATH)) == 2 and api.watches)
    await api.say(b"{\n")
    await follow.until(lambda: len(api.lists(PATH)) == 2 and len(api.watched(PATH)) == 3)
    assert follow.names.keys() == {"a", "b"}


async def test_an_expired_version_is_listed_again_and_nothing_flaps(api: FakeApi, follow: Following) -> None:
    await follow.until(lambda: follow.names)
    api.fail(status(410, "Gone"), times=1, when=is_watch)
    api.cut()
    await follow.until(lambda: len(api.lists(PATH)) == 2 and api.watches)
    assert follow.names == {"a": "101", "b": "102"}
    assert not follow.reflector.store.take_changes()
    assert follow.reflector.health.finding is None


async def test_an_expired_version_told_by_an_event(api: FakeApi, follow: Following) -> None:
    api.cut()
    await api.put(PATH, secret("c"))
    await api.delete(PATH, "a")
    api.expire()
    await follow.until(lambda: follow.names == {"b": "102", "c": "103"})
    assert len(api.lists(PATH)) == 2


@pytest.mark.parametrize("code", [400, 504])
async def test_a_version_that_the_server_cannot_use(api: FakeApi, follow: Following, code: int) -> None:
    api.fail(status(code, "Timeout", "Too large resource version"), when=is_watch)
    api.end()
    await follow.until(lambda: len(api.lists(PATH)) == 2 and api.watches)


async def test_pages_that_expire_are_read_from_the_beginning(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_ITEMS", 2)
    for name in "abcde":
        await api.put(PATH, secret(name))
    api.fail(status(410, "Expired"), when=lambda request: "continue" in request.query)
    async with following(RESOURCE, client) as follow:
        await follow.until(lambda: len(follow.names) == 5)
    assert [query.get("continue") for query in api.lists(PATH)] == [None, "105:2", None, "105:2", "105:4"]
    assert follow.reflector.health.finding is None


async def test_pages_that_always_expire_are_not_asked_for(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_ITEMS", 2)
    for name in "abcde":
        await api.put(PATH, secret(name))
    api.fail(status(410, "Expired"), times=100, when=lambda request: "continue" in request.query)
    async with following(RESOURCE, client) as follow:
        await follow.until(lambda: len(follow.names) == 5)
        lists = api.lists(PATH)
        assert len(lists) == 5
        assert "limit" not in lists[-1]
        await follow.until(lambda: api.watches)
        api.heal()
        api.expire()
        await api.put(PATH, secret("f"))
        api.fail(status(410, "Expired"), when=is_watch)
        api.cut()
        await follow.until(lambda: len(follow.names) == 6 and len(api.lists(PATH)) > 5)
        assert "limit" in api.lists(PATH)[-1]


async def test_a_server_that_is_busy_is_left_alone_as_long_as_it_says(api: FakeApi, follow: Following) -> None:
    await api.put(PATH, secret("c"))
    await follow.until(lambda: "c" in follow.names)
    api.fail(status(429, "TooManyRequests", "slow down", "7"))
    api.fail(status(503, "ServiceUnavailable", "later", "3600"))
    api.end()
    await follow.until(lambda: len(api.watched(PATH)) == 4)
    assert follow.waits == [7, 60]


async def test_a_server_that_ends_watches_at_once_is_not_hammered(api: FakeApi, follow: Following) -> None:
    for _ in range(2):
        api.end()
        count = len(api.watched(PATH))
        await follow.until(lambda: len(api.watched(PATH)) > count and api.watches)  # noqa: B023
    assert follow.waits == [0.2, 0.2]


async def test_away_at_the_start(client: ClusterClient, api: FakeApi) -> None:
    api.fail(status(503, "ServiceUnavailable", "starting"), times=1_000)
    async with following(RESOURCE, client) as follow:
        await follow.until(lambda: follow.notices)
        finding = follow.reflector.health.finding
        assert finding is not None
        assert (finding.reason, finding.object) == ("UnreachableCluster", "Secrets ns/?")
        assert not follow.reflector.is_listed
        api.heal()
        await api.put(PATH, secret("a"))
        await follow.until(lambda: "a" in follow.names)
        assert follow.reflector.health.finding is None


async def test_away_in_the_middle(api: FakeApi, follow: Following) -> None:
    await follow.until(lambda: follow.names)
    api.fail(status(500, "InternalError", "etcd is away"), times=1_000)
    api.cut()
    await follow.until(lambda: follow.reflector.health.finding is not None)
    assert follow.names.keys() == {"a", "b"}
    assert follow.reflector.health.finding is not None
    assert "etcd is away; since 20" in follow.reflector.health.finding.message
    before = follow.notices
    api.heal()
    await follow.until(lambda: follow.reflector.health.finding is None)
    assert follow.notices > before
    assert follow.names.keys() == {"a", "b"}
    assert len(api.lists(PATH)) == 1


@pytest.mark.parametrize(("verb", "when"), [("list", is_list), ("watch", is_watch)])
async def test_a_missing_permission(api: FakeApi, client: ClusterClient, verb: str, when: object) -> None:
    api.fail(status(403, "Forbidden", "User x cannot do that"), times=3, when=when)  # type: ignore[arg-type]
    async with following(RESOURCE, client) as follow:
        await follow.until(lambda: follow.reflector.health.is_forbidden)
        finding = follow.reflector.health.finding
        assert finding is not None
        assert f'"kubectl auth can-i {verb} secrets --namespace ns"' in finding.message
        assert "User x cannot do that" in finding.message
        await follow.until(lambda: api.watches and follow.reflector.health.finding is None)
    assert len(follow.waits) == 3


async def test_a_sudden_empty_list_is_not_believed_at_once(api: FakeApi, follow: Following) -> None:
    for name in "cde":
        await api.put(PATH, secret(name))
    await follow.until(lambda: len(follow.names) == 5)
    objects, api._objects[PATH] = api._objects[PATH], {}
    api.expire()
    api.cut()
    await follow.until(lambda: follow.reflector.doubt is not None)
    doubt = follow.reflector.doubt
    assert doubt is not None
    assert (doubt.reason, doubt.object) == ("SuddenDrop", "Secrets ns/?")
    assert doubt.message.startswith("5 of 5 objects are missing")
    assert len(follow.names) == 5
    assert follow.waits[-1] == 2
    api._objects[PATH] = objects
    await follow.until(lambda: follow.reflector.doubt is None)
    await follow.until(lambda: api.watches)
    assert len(follow.names) == 5


async def test_a_drop_that_a_second_list_confirms_takes_effect(api: FakeApi, follow: Following) -> None:
    for name in "cde":
        await api.put(PATH, secret(name))
    await follow.until(lambda: len(follow.names) == 5)
    api._objects[PATH] = {"e": api._objects[PATH]["e"]}
    api.expire()
    api.cut()
    await follow.until(lambda: list(follow.names) == ["e"])
    assert len(api.lists(PATH)) == 3
    await follow.until(lambda: api.watches)
    assert follow.reflector.doubt is None


async def test_deletions_by_name_are_believed(api: FakeApi, follow: Following) -> None:
    for name in "cde":
        await api.put(PATH, secret(name))
    for name in "abcde":
        await api.delete(PATH, name)
    await follow.until(lambda: not follow.names and len(follow.reflector.store) == 0 and follow.notices > 5)
    assert follow.reflector.doubt is None


async def test_a_poison_object_in_a_list_and_in_an_event(api: FakeApi, client: ClusterClient) -> None:
    await api.put(PATH, secret("a"))
    await api.put(PATH, broken("b"))
    async with following(RESOURCE, client) as follow:
        await follow.until(lambda: follow.names == {"a": "101"} and api.watches)
        await api.put(PATH, broken("a"))
        await api.put(PATH, secret("c"))
        await follow.until(lambda: follow.names == {"a": "101", "c": "104"})
        assert set(follow.reflector.store.unread) == {"Secret ns/a", "Secret ns/b"}
        await api.put(PATH, secret("a", "good"))
        await api.delete(PATH, "b")
        await follow.until(lambda: follow.names == {"a": "105", "c": "104"} and not follow.reflector.store.unread)


async def test_forgetting_the_version_lists_again(api: FakeApi, client: ClusterClient) -> None:
    follow = Following(RESOURCE)
    for _ in range(2):
        task = asyncio.get_running_loop().create_task(follow.reflector.run(client))
        await follow.until(lambda: api.watches)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        follow.reflector.start_over()
        await follow.until(lambda: not api.watches)
    assert len(api.lists(PATH)) == 2


def test_the_promises() -> None:
    assert reflector.WATCH_SECONDS_MIN == 300
    assert client_module.PAGE_ITEMS == 500
