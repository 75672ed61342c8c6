from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from entryproxy.demo.gateways import make_app

Gateway = TestClient


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with TestClient(TestServer(make_app("tenant1"))) as client:
        yield client


async def test_it_shows_what_it_received(gateway: Gateway) -> None:
    async with gateway.post("/a/b%20c?q=1", data=b"12345", headers=[("X-A", "1"), ("X-A", "2")]) as answer:
        shown = await answer.json()
    assert answer.headers["X-Demo-Gateway"] == "tenant1"
    assert (shown["method"], shown["path"], shown["bodyBytes"]) == ("POST", "/a/b%20c?q=1", 5)
    assert shown["headers"]["X-A"] == "1, 2"
    assert "tenant1" in shown["demo"]


async def test_events_say_when_they_were_sent(gateway: Gateway) -> None:
    async with gateway.get("/sse", params={"events": 2, "interval": 0}) as answer:
        assert answer.content_type == "text/event-stream"
        events = (await answer.text()).split("\n\n")
    assert events[0].startswith("id: 1\ndata: ")
    assert json.loads(events[1].partition("data: ")[2]).keys() == {"event", "of", "sent"}
    assert len(events) == 3


async def test_a_websocket_echoes(gateway: Gateway) -> None:
    async with gateway.ws_connect("/ws") as socket:
        await socket.send_str("text")
        await socket.send_bytes(b"bytes")
        assert await socket.receive_str() == "text"
        assert await socket.receive_bytes() == b"bytes"


async def test_a_websocket_greets_and_closes(gateway: Gateway) -> None:
    async with gateway.ws_connect("/ws?greetings=1") as socket:
        assert "hello from tenant1" in await socket.receive_str()
        assert (await socket.receive()).type is WSMsgType.CLOSE


async def test_a_slow_answer(gateway: Gateway) -> None:
    async with gateway.get("/slow?seconds=0.01") as answer:
        assert (await answer.json())["sleptSeconds"] == 0.01


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_001])
async def test_large_answers(gateway: Gateway, size: int) -> None:
    async with gateway.get(f"/bytes?size={size}") as answer:
        assert answer.content_length == size
        assert len(await answer.read()) == size


async def test_uploads_are_counted_and_hashed(gateway: Gateway) -> None:
    body = bytes(300_000)
    async with gateway.put("/upload", data=body) as answer:
        shown = await answer.json()
    assert shown == {"of": "tenant1", "bodyBytes": 300_000, "sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.parametrize("code", [200, 204, 304, 404, 503])
async def test_any_status(gateway: Gateway, code: int) -> None:
    async with gateway.get(f"/status?code={code}") as answer:
        assert answer.status == code


@pytest.mark.parametrize(
    "target",
    [
        "/slow?seconds=nan",
        "/slow?seconds=1e9",
        "/bytes?size=-1",
        "/sse?events=x",
        "/status?code=100",
        "/status?code=600",
    ],
)
async def test_bad_numbers(gateway: Gateway, target: str) -> None:
    async with gateway.get(target) as answer:
        assert answer.status == 400
