"""A real Envoy, as it is in Higress, as the tenant's gateway."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets.exceptions

from tests.certificates import Authority
from tests.e2e.clients import chunked
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.envoys import Envoy
from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry, Folder, running
from tests.e2e.sockets import WebSocketGateway, open_websocket
from tests.support import require_tool

HOST = "app1.real.aigw.example.com"


@pytest.fixture(scope="module")
def behind_envoy(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway, sockets: WebSocketGateway
) -> Iterator[Entry]:
    """An entry whose tenant `real` has Envoy for a gateway; `gateway` is what Envoy routes to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")  # envoy comes with the development tools
        program = require_tool("envoy")
    envoy = Envoy(program, tmp_path_factory.mktemp("envoy"), gateway.address, sockets.address)
    folder = Folder(tmp_path_factory.mktemp("behind-envoy"))
    write_platform(folder, authority)
    write_tenant(folder, authority, "real", gateway={"addresses": [envoy.address]})
    try:
        with running(folder, authority, "--drain-delay", "0") as entry:
            yield entry
    finally:
        envoy.close()


def test_the_entrys_fields_reach_the_backend(behind_envoy: Entry, gateway: Gateway) -> None:
    with behind_envoy.client(HOST) as client:
        for _ in range(5):
            answer = client.get(gateway.path())
            assert answer.status == 200
    assert answer.get("Server") == "envoy"
    assert answer.received("X-Entry-Tenant") == ["real"]
    assert answer.received("X-Forwarded-Proto") == ["https"]
    assert answer.received("Host") == [HOST]


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_bodies(behind_envoy: Entry, gateway: Gateway, size: int) -> None:
    async def mirror(exchange: Exchange) -> None:
        await exchange.answer(200, await exchange.read_body())

    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    path = gateway.script(mirror)
    with behind_envoy.client(HOST) as client:
        assert client.request("PUT", path, body=body).body == body
        client.send(client.head("PUT", path, [("Transfer-Encoding", "chunked")]))
        client.send(chunked([body] if body else []))
        assert client.response().body == body


def test_trailers(behind_envoy: Entry, gateway: Gateway) -> None:
    async def streamed(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await exchange.send(chunked([b"hello"], [("X-Back", "2")]))

    path = gateway.script(streamed)
    with behind_envoy.client(HOST) as client:
        fields = [("Transfer-Encoding", "chunked"), ("TE", "trailers"), ("Connection", "TE")]
        client.send(client.head("POST", path, fields) + chunked([b"hi"], [("X-Forth", "1")]))
        answer = client.response()
    assert [(name.lower(), value) for name, value in answer.trailers] == [("x-back", "2")]
    assert [(name.lower(), value) for name, value in gateway.only(path).trailers] == [("x-forth", "1")]


def test_expect_continue(behind_envoy: Entry, gateway: Gateway) -> None:
    async def continuing(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await exchange.echo()

    with behind_envoy.client(HOST) as client:
        fields = [("Expect", "100-continue"), ("Content-Length", "5")]
        client.send(client.head("POST", gateway.script(continuing), fields))
        assert client.response_head().status == 100
        client.send(b"hello")
        assert client.response().json()["body"] == "hello"


def test_head_and_bodyless_answers(behind_envoy: Entry, gateway: Gateway) -> None:
    async def nothing(exchange: Exchange) -> None:
        await exchange.answer(204)

    path = gateway.script(nothing)
    with behind_envoy.client(HOST) as client:
        for _ in range(3):
            assert client.request("HEAD", gateway.path()).status == 200
            assert client.get(path).status == 204


def test_events_arrive_when_they_are_sent(behind_envoy: Entry, gateway: Gateway) -> None:
    async def events(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for latch in latches:
            await latch.wait()
            await exchange.send(b"9\r\ndata: x\n\n\r\n")
        await exchange.send(b"0\r\n\r\n")

    latches = [gateway.latch() for _ in range(3)]
    with behind_envoy.client(HOST) as client:
        client.send(client.head("GET", gateway.script(events)))
        assert client.response_head().status == 200
        for latch in latches:
            latch.open()
            assert client.read_chunk() == b"data: x\n\n"
        assert client.read_chunk() == b""


def test_websocket(behind_envoy: Entry) -> None:
    async def talk() -> None:
        async with open_websocket(behind_envoy, HOST, "/sockets/echo") as socket:
            for message in ("hello", b"\x00" * 100_000):
                await socket.send(message)
                assert await socket.recv() == message
        with pytest.raises(websockets.exceptions.InvalidStatus):
            async with open_websocket(behind_envoy, HOST, "/no-sockets-here"):
                pass

    asyncio.run(talk())


def test_a_backend_that_breaks_off_is_envoys_answer(behind_envoy: Entry, gateway: Gateway) -> None:
    async def broken(exchange: Exchange) -> None:
        exchange.reset()

    with behind_envoy.client(HOST) as client:
        answer = client.request("POST", gateway.script(broken), body=b"x")
        assert answer.status == 503
        assert answer.get("Server") == "envoy"
        assert client.get(gateway.path()).status == 200
