"""First-byte and idle deadlines, streams that outlive them, and peers that are slow on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.e2e.clients import Client, TruncatedError, connect
from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry

HOST = "app1.alpha.aigw.example.com"
QUICK = "app1.quick.aigw.example.com"
"""A tenant whose firstByte and idle are one second."""


class TestFirstByte:
    """Until the response head."""

    @pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 O"], ids=["silence", "half a head"])
    def test_a_gateway_that_is_too_slow(self, entry: Entry, gateway: Gateway, beginning: bytes) -> None:
        async def stalled(exchange: Exchange) -> None:
            await exchange.send(beginning)
            await latch.wait()

        latch = gateway.latch()
        path = gateway.script(stalled)
        started = time.monotonic()
        with entry.client(QUICK) as client:
            answer = client.get(path)
            assert answer.status == 504
            assert 0.9 < time.monotonic() - started < 5
            latch.open()
            assert client.get(gateway.path()).status == 200
        assert entry.logged(path)["status"] == 504

    def test_within_the_deadline(self, entry: Entry, gateway: Gateway) -> None:
        async def slow(exchange: Exchange) -> None:
            await asyncio.sleep(0.5)
            await exchange.answer(200, b"slow")

        with entry.client(QUICK) as client:
            assert client.get(gateway.script(slow)).body == b"slow"

    def test_an_upload_may_take_longer(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(QUICK) as client:
            client.send(client.head("POST", gateway.path(), [("Content-Length", "6")]))
            for _ in range(6):
                time.sleep(0.4)
                client.send(b"x")
            assert client.response().json()["body"] == "xxxxxx"


class TestIdle:
    """Between two pieces, either way."""

    def test_a_stalled_answer_is_cut(self, entry: Entry, gateway: Gateway) -> None:
        async def stalled(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await latch.wait()

        latch = gateway.latch()
        path = gateway.script(stalled)
        started = time.monotonic()
        with entry.client(QUICK) as client, pytest.raises(TruncatedError):
            client.get(path)
        assert 0.9 < time.monotonic() - started < 5
        latch.open()
        assert entry.logged(path)["error"]

    def test_a_stalled_upload_is_cut(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(QUICK) as client:
            client.send(client.head("POST", path, [("Content-Length", "100")]) + b"half")
            with contextlib.suppress(TruncatedError):
                assert client.response().status in (408, 504)
            assert client.is_closed()
        assert gateway.only(path).finished.wait(5)
        assert not gateway.only(path).complete

    def test_a_stream_lives_as_long_as_bytes_flow(self, entry: Entry, gateway: Gateway) -> None:
        async def dripping(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(8):
                await asyncio.sleep(0.4)
                await exchange.send(b"1\r\nx\r\n")
            await exchange.send(b"0\r\n\r\n")

        with entry.client(QUICK) as client:
            assert client.get(gateway.script(dripping)).body == b"x" * 8

    def test_a_client_that_stops_reading_is_cut(self, entry: Entry, gateway: Gateway) -> None:
        async def endless(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await exchange.send(b"x" * 100_000)

        path = gateway.script(endless)
        with entry.client(QUICK) as client:
            client.send(client.head("GET", path))
            assert client.response_head().status == 200
            assert gateway.only(path).finished.wait(10)


class TestServerSentEvents:
    """Events reach the client when the gateway sends them."""

    @pytest.mark.parametrize("framing", ["chunked", "until close"])
    def test_each_event_arrives_before_the_next_is_sent(self, entry: Entry, gateway: Gateway, framing: str) -> None:
        async def events(exchange: Exchange) -> None:
            coding = "Transfer-Encoding: chunked\r\n" if framing == "chunked" else ""
            await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{coding}\r\n".encode())
            for number, latch in enumerate(latches):
                await latch.wait()
                event = b"data: %d\n\n" % number
                await exchange.send(b"%x\r\n%b\r\n" % (len(event), event) if coding else event)
            await exchange.send(b"0\r\n\r\n" if coding else b"")
            if not coding:
                exchange.close()

        latches = [gateway.latch() for _ in range(5)]
        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(events), [("Accept", "text/event-stream")]))
            assert client.response_head().get("Content-Type") == "text/event-stream"
            for number, latch in enumerate(latches):
                latch.open()
                assert client.read_chunk() == b"data: %d\n\n" % number
            assert client.read_chunk() == b""

    def test_uploads_stream_as_well(self, entry: Entry, gateway: Gateway) -> None:
        async def note_pieces(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                piece = await exchange.read(5)
                await exchange.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            exchange.body, exchange.complete = b"hellohellohello", True
            await exchange.send(b"0\r\n\r\n")

        with entry.client(HOST) as client:
            client.send(client.head("POST", gateway.script(note_pieces), [("Content-Length", "15")]))
            assert client.response_head().status == 200
            for _ in range(3):
                client.send(b"hello")
                assert client.read_chunk() == b"hello"


def test_peers_that_dribble_meet_their_deadlines(entry: Entry) -> None:
    """A ClientHello, a head over TLS and a head on the plain port, none of which ever ends, and a silent connection."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = entry.authority.context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    silent = Client(connect(entry.ports["https"]), HOST)
    hello = Client(connect(entry.ports["https"]), HOST)
    secure, plain = entry.client(HOST), entry.plain_client(HOST)
    clients = (silent, hello, secure, plain)
    with silent, hello, secure, plain:
        dribbles = {
            hello: iter(outgoing.read()),
            secure: iter(secure.head("GET", "/" + "a" * 100)),
            plain: iter(plain.head("GET", "/" + "a" * 100)),
        }
        answers: dict[Client, bytes] = {}
        started = time.monotonic()
        while len(answers) < len(clients):
            assert time.monotonic() - started < 16, f"{len(answers)} of {len(clients)} ended"
            for client in clients:
                if client not in answers:
                    _dribble(client, dribbles.get(client), answers)
    assert time.monotonic() - started > 5
    assert answers[secure].startswith(b"HTTP/1.1 408 ")
    assert answers[plain].startswith(b"HTTP/1.1 408 ")
    assert not answers[silent].startswith(b"\x16")
    assert not answers[hello].startswith(b"\x16")


def test_peers_below_the_minimum_rate_are_cut(entry: Entry, gateway: Gateway) -> None:
    """An upload and a download of a few bytes a second, of a tenant whose own deadlines are minutes away."""

    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await exchange.send(b"x" * 100_000)

    upload, download = gateway.path(), gateway.script(endless)
    with entry.client(HOST) as sender, entry.client(HOST) as reader:
        reader.send(reader.head("GET", download))
        sender.send(sender.head("POST", upload, [("Content-Length", "1000000")]))
        exchanges = gateway.only(upload), gateway.only(download)
        started = time.monotonic()
        while not all(exchange.finished.is_set() for exchange in exchanges):
            assert time.monotonic() - started < 80
            sender.try_send(b"x" * 10)
            with contextlib.suppress(OSError):
                reader.socket.recv(10)
            time.sleep(0.5)
    assert time.monotonic() - started > 10  # slow networks have moments too
    assert not exchanges[0].complete


def _dribble(client: Client, octets: Iterator[int] | None, answers: dict[Client, bytes]) -> None:
    """Send one more byte, and note the whole answer once there is one."""
    if octets is not None:
        client.try_send(bytes([next(octets)]))
    client.socket.settimeout(0.1)
    try:
        if client.receive():
            client.socket.settimeout(10)
        answers[client] = client.read_to_end()
    except TimeoutError:
        pass
