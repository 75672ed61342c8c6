from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

import pytest
from aiohttp import web

from entryproxy.kubernetes import client as client_module
from entryproxy.kubernetes import session
from entryproxy.kubernetes.client import ApiError, ClusterClient, connect
from tests.certificates import Authority
from tests.kubernetes.api import FakeApi, config_map, status

PATH = "/api/v1/namespaces/ns/configmaps"


async def test_get_and_who_asks(api: FakeApi, client: ClusterClient) -> None:
    assert json.loads(await client.get(PATH, {"labelSelector": "a=b&c", "limit": "5"}))["items"] == []
    assert api.requests == [(PATH, {"labelSelector": "a=b&c", "limit": "5"})]
    (agent,) = api.agents
    assert agent.startswith("entryproxy/")
    assert (client.server, client.namespace) == (api.url, "here")


async def test_list_gives_pages(api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGE_ITEMS", 2)
    for number in range(5):
        await api.put(PATH, config_map(f"c{number}"))
    pages = [json.loads(page)["items"] async for page in client.list(PATH, {"labelSelector": "x"})]
    assert [len(items) for items in pages] == [2, 2, 1]
    assert all(query["labelSelector"] == "x" for query in api.lists(PATH))


async def test_pages_shrink_until_they_can_be_held(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write objects may make them as large as the API server takes them, in any number."""
    monkeypatch.setattr(client_module, "PAGE_BYTES_MAX", 5_000)
    for number in range(8):
        await api.put(PATH, config_map(f"c{number}", {"x": "y" * 2_000}))
    pages = [json.loads(page)["items"] async for page in client.list(PATH, {"limit": "8"})]
    assert [item["metadata"]["name"] for items in pages for item in items] == [f"c{number}" for number in range(8)]
    assert max(map(len, pages)) == 2
    assert [query["limit"] for query in api.lists(PATH)][:3] == ["8", "2", "4"]
    monkeypatch.setattr(client_module, "PAGE_BYTES_MAX", 1_000)
    with pytest.raises(ApiError) as caught:
        await anext(client.list(PATH, {"limit": "8"}))
    assert (caught.value.reason, api.lists(PATH)[-1]["limit"]) == ("TooLarge", "1")


async def test_an_expired_page(api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAGE_ITEMS", 1)
    await api.put(PATH, config_map("a"))
    await api.put(PATH, config_map("b"))
    pages = client.list(PATH)
    await anext(pages)
    api.expire()
    with pytest.raises(ApiError) as caught:
        await anext(pages)
    assert caught.value.is_gone


async def test_apply_and_delete(client: ClusterClient) -> None:
    applied = json.loads(await client.apply(f"{PATH}/a", b'{"a":1}', "entryproxy", {"dryRun": "All"}))
    assert applied == {
        "method": "PATCH",
        "query": {"fieldManager": "entryproxy", "dryRun": "All"},
        "kind": "application/apply-patch+yaml",
        "body": '{"a":1}',
    }
    assert json.loads(await client.delete(f"{PATH}/a"))["method"] == "DELETE"


async def test_what_the_server_says_is_told(api: FakeApi, client: ClusterClient) -> None:
    api.fail(status(429, "TooManyRequests", "slow down", "7"))
    with pytest.raises(ApiError) as caught:
        await client.get(PATH)
    error = caught.value
    assert (error.status, error.reason, error.message) == (429, "TooManyRequests", "slow down")
    assert error.retry_after_seconds == 7


async def test_redirects_are_not_followed(api: FakeApi, client: ClusterClient) -> None:
    api.fail(lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(ApiError) as caught:
        await client.get(PATH)
    assert caught.value.status == 302


async def test_nobody_there(tmp_path: Path) -> None:
    async with FakeApi() as api:
        path = api.kubeconfig(tmp_path)
    async with await connect(path) as client:
        with pytest.raises(ApiError) as caught:
            await client.get(PATH)
    assert caught.value.status == 0
    assert caught.value.message.startswith(f"Can't connect to 127.0.0.1:{api.port}: ")


async def test_an_answer_that_is_too_large(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "BODY_BYTES_MAX", 1_000)
    await api.put(PATH, config_map("a", {"x": "y" * 1_000}))
    with pytest.raises(ApiError) as caught:
        await client.get(PATH)
    assert caught.value.reason == "TooLarge"


async def test_an_answer_that_does_not_come(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "REQUEST_TIMEOUT_SECONDS", 0.05)
    await api.put(PATH, config_map("a"))
    with pytest.raises(ApiError, match="did not answer in time"):
        await client.get(PATH, {"watch": "1", "resourceVersion": "0"})  # as good as any that never ends


async def test_proxies_of_the_environment_are_not_trusted(
    api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    await client.get(PATH)
    assert len(api.requests) == 1


async def test_a_token_that_was_rotated_is_read_at_once(api: FakeApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    api.token = "first"
    async with await connect(api.kubeconfig(tmp_path, {"tokenFile": str(token)})) as client:
        await client.get(PATH)
        token.write_text("second")
        api.token = "second"
        await asyncio.gather(*(client.get(PATH) for _ in range(3)))
        assert len(api.requests) == 1 + 3 * 2
        await client.get(PATH)
        assert len(api.requests) == 8
        api.token = "third"  # which nobody gave us
        with pytest.raises(ApiError) as caught:
            await client.get(PATH)
        assert (caught.value.status, len(api.requests)) == (401, 9)
        token.unlink()
        with pytest.raises(ApiError) as caught:
            await client.get(PATH)
        assert caught.value.status == 401


async def test_tls_and_an_authority_that_was_replaced(tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    file = tmp_path / "pair.pem"
    pair = new.issue("127.0.0.1")
    file.write_text(pair.chain_pem + pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    (tmp_path / "ca.crt").write_text(old.pem)
    async with (
        FakeApi(context) as api,
        await connect(api.kubeconfig(tmp_path, cluster={"certificate-authority": "ca.crt"})) as client,
    ):
        with pytest.raises(ApiError, match="certificate is not trusted"):
            await client.get(PATH)
        (tmp_path / "ca.crt").write_text(new.pem)
        await client.get(PATH)


# -- watches


async def test_lines_of_a_watch(api: FakeApi, client: ClusterClient) -> None:
    async with client.watch(PATH, {"resourceVersion": "0"}) as lines:
        assert api.watched(PATH)[0]["watch"] == "true"
        await api.put(PATH, config_map("a"))
        assert json.loads(await anext(lines))["type"] == "ADDED"
        await api.say(b'{"torn"')
        await asyncio.sleep(0.01)
        await api.say(b':1}\n\n{"next":1}\n{"never')
        assert [await anext(lines), await anext(lines)] == [b'{"torn":1}', b'{"next":1}']
        api.end()
        with pytest.raises(StopAsyncIteration):
            await anext(lines)


async def test_a_watch_that_is_cut(api: FakeApi, client: ClusterClient) -> None:
    async with client.watch(PATH, {"resourceVersion": "0"}) as lines:
        await asyncio.sleep(0.01)
        api.cut()
        with pytest.raises(ApiError, match="cut the connection"):
            await anext(lines)


async def test_a_watch_that_falls_silent(api: FakeApi, client: ClusterClient) -> None:
    async with client.watch(PATH, {"resourceVersion": "0"}, silence_seconds=0.05) as lines:
        await api.bookmark(PATH)
        await anext(lines)
        with pytest.raises(ApiError) as caught:
            await anext(lines)
    assert (caught.value.status, caught.value.reason) == (0, "Silent")


async def test_a_watch_that_is_never_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "REQUEST_TIMEOUT_SECONDS", 0.05)
    api = FakeApi()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and nobody else
        api.port = silent.getsockname()[1]
        client = await connect(api.kubeconfig(tmp_path))
        with pytest.raises(ApiError, match="did not answer in time"):
            async with client, client.watch(PATH):
                pytest.fail("it was not accepted")


async def test_an_event_that_is_too_large(api: FakeApi, client: ClusterClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "WATCH_LINE_BYTES_MAX", 1_000)
    async with client.watch(PATH, {"resourceVersion": "0"}) as lines:
        await api.put(PATH, config_map("a", {"x": "y" * 1_000_000}))  # more than comes in one piece
        with pytest.raises(ApiError) as caught:
            await anext(lines)
    assert caught.value.reason == "TooLarge"


async def test_a_watch_that_is_refused(api: FakeApi, client: ClusterClient) -> None:
    api.fail(status(403, "Forbidden", "no"))
    with pytest.raises(ApiError) as caught:
        async with client.watch(PATH, {"resourceVersion": "0"}):
            pytest.fail("it was not accepted")
    assert caught.value.status == 403


async def test_leaving_a_watch_closes_it(api: FakeApi, client: ClusterClient) -> None:
    async with client.watch(PATH, {"resourceVersion": "0"}):
        await asyncio.sleep(0.01)
        assert len(api.watches) == 1
    async with asyncio.timeout(10):
        while api.watches:
            await asyncio.sleep(0.01)


def test_the_promises() -> None:
    assert client_module.SILENCE_SECONDS == 70
    assert session.CONNECT_TIMEOUT_SECONDS == 5
