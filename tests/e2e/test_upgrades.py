"""Upgrades become tunnels after the gateway's 101, not a byte before (RFC 9110 §7.8, RFC 6455)."""

from __future__ import annotations

import asyncio

import pytest
import websockets.exceptions

from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry
from tests.e2e.sockets import open_websocket

HOST = "app1.alpha.aigw.example.com"
SOCKETS = "chat.sockets.aigw.example.com"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
WEBSOCKET = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n\r\n"
)


async def tunnel_echo(exchange: Exchange) -> None:
    """Switch to whatever was asked for and echo bytes until the other side ends."""
    upgrade = exchange.get("Upgrade") or ""
    accept = f"Sec-WebSocket-Accept: {ACCEPT}\r\n" if upgrade.lower() == "websocket" else ""
    head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n{accept}\r\n"
    await exchange.send(head.encode())
    while data := await exchange.read():
        await exchange.send(data)
    exchange.close()


class TestTunnels:
    """Bytes after the 101."""

    @pytest.mark.parametrize("protocol", ["websocket", "chat/2"])
    def test_both_ways(self, entry: Entry, gateway: Gateway, protocol: str) -> None:
        path = gateway.script(tunnel_echo)
        fields = [(name, protocol if name == "Upgrade" else value) for name, value in WEBSOCKET]
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, fields))
            head = client.response_head()
            assert head.status == 101
            assert (head.get("Upgrade") or "").lower() == protocol
            for size in (1, 1000, 500_000):
                client.send(b"\xff" * size)
                assert client.read(size) == b"\xff" * size
        assert gateway.only(path).finished.wait(5)
        assert (gateway.only(path).get("Connection") or "").lower() == "upgrade"

    def test_no_byte_is_tunnelled_before_the_101(self, entry: Entry, gateway: Gateway) -> None:
        async def hesitant(exchange: Exchange) -> None:
            try:
                early.append(await asyncio.wait_for(exchange.read(), 0.3))
            except TimeoutError:
                early.append(b"")
            await exchange.send(SWITCHED)
            await exchange.send(await exchange.read())
            exchange.close()

        early: list[bytes] = []
        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(hesitant), WEBSOCKET) + b"GET /smuggled HTTP/1.1\r\n\r\n")
            assert client.response_head().status == 101
            assert client.read_to_end() == b"GET /smuggled HTTP/1.1\r\n\r\n"
        assert early == [b""]

    @pytest.mark.parametrize("status", [200, 400, 426])
    def test_a_refused_upgrade_opens_no_tunnel(self, entry: Entry, gateway: Gateway, status: int) -> None:
        async def refusing(exchange: Exchange) -> None:
            await exchange.answer(status, b"no", [("Connection", "close")])
            received.append(await exchange.read())
            exchange.close()

        received: list[bytes] = []
        path = gateway.script(refusing)
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, WEBSOCKET))
            assert client.response().status == status
            assert client.get(gateway.path()).status == 200
        assert gateway.only(path).finished.wait(5)
        assert received == [b""]

    def test_the_gateways_first_words_come_with_its_101(self, entry: Entry, gateway: Gateway) -> None:
        async def eager(exchange: Exchange) -> None:
            await exchange.send(SWITCHED + b"hello")
            exchange.close()

        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(eager), WEBSOCKET))
            assert client.response_head().status == 101
            assert client.read_to_end() == b"hello"

    @pytest.mark.parametrize(
        "answer",
        [
            SWITCHED.replace(b"Upgrade: websocket", b"Upgrade: other"),
            SWITCHED.replace(b"Upgrade: websocket\r\n", b""),
            SWITCHED.replace(b"Connection: Upgrade\r\n", b""),
            SWITCHED.replace(ACCEPT.encode(), b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ],
        ids=["other protocol", "no Upgrade", "no Connection", "wrong Accept"],
    )
    def test_a_101_that_is_not_what_was_asked_for(self, entry: Entry, gateway: Gateway, answer: bytes) -> None:
        async def wrong(exchange: Exchange) -> None:
            await exchange.send(answer + b"tunnelled")
            await exchange.read()
            exchange.close()

        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(wrong), WEBSOCKET))
            assert client.response().status == 502

    @pytest.mark.parametrize("missing", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
    def test_an_incomplete_websocket_handshake(self, entry: Entry, gateway: Gateway, missing: str) -> None:
        path = gateway.script(tunnel_echo)
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, [field for field in WEBSOCKET if field[0] != missing]))
            assert client.response().status in (400, 426)
        assert gateway.seen(path) == []

    def test_upgrade_in_1_0_is_ignored(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, WEBSOCKET, version="HTTP/1.0"))
            assert client.response().status == 200
        assert gateway.only(path).get("Upgrade") is None

    def test_an_upgrade_that_connection_does_not_name_is_ignored(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(HOST) as client:
            assert client.get(gateway.path(), ("Upgrade", "chat/2")).received("Upgrade") == []

    def test_an_idle_tunnel_ends(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.script(tunnel_echo)
        with entry.client("app1.quick.aigw.example.com") as client:
            client.send(client.head("GET", path, WEBSOCKET))
            assert client.response_head().status == 101
            for _ in range(4):
                assert client.is_quiet(0.5)
                client.send(b"alive")
                assert client.read(5) == b"alive"
            assert client.is_closed()
        assert gateway.only(path).finished.wait(5)

    def test_the_clients_end_reaches_the_gateway_and_back(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.script(tunnel_echo)
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, WEBSOCKET))
            assert client.response_head().status == 101
            client.end(reset=True)
        assert gateway.only(path).finished.wait(5)


class TestWebSocket:
    """The `websockets` library on both ends."""

    def test_messages_both_ways(self, entry: Entry) -> None:
        async def talk() -> None:
            async with open_websocket(entry, SOCKETS, "/echo") as socket:
                for message in ("hello", "grüß", b"\x00\xff" * 1000, "x" * 500_000):
                    await socket.send(message)
                    assert await socket.recv() == message

        asyncio.run(talk())

    def test_ping(self, entry: Entry) -> None:
        async def talk() -> None:
            async with open_websocket(entry, SOCKETS, "/echo") as socket:
                await asyncio.wait_for(await socket.ping(), 5)

        asyncio.run(talk())

    @pytest.mark.parametrize("code", [1000, 1001, 1011, 4321])
    def test_close_codes_pass(self, entry: Entry, code: int) -> None:
        async def talk() -> None:
            async with open_websocket(entry, SOCKETS, f"/close/{code}") as socket:
                with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "as asked")

        asyncio.run(talk())

    def test_many_at_once(self, entry: Entry) -> None:
        async def talk(number: int) -> None:
            async with open_websocket(entry, SOCKETS, "/echo") as socket:
                for turn in range(10):
                    await socket.send(f"{number} {turn}")
                    assert await socket.recv() == f"{number} {turn}"

        async def everybody() -> None:
            await asyncio.gather(*(talk(number) for number in range(50)))

        asyncio.run(everybody())

    def test_it_is_logged_with_its_bytes(self, entry: Entry) -> None:
        async def talk() -> None:
            async with open_websocket(entry, SOCKETS, "/echo?logged") as socket:
                await socket.send("x" * 10_000)
                await socket.recv()

        asyncio.run(talk())
        wait_until(lambda: any(line["status"] == 101 for line in entry.log), "no 101 in the log")
        assert any(line["status"] == 101 and line["sentBytes"] > 10_000 for line in entry.log)
