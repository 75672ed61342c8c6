"""What ends early never looks complete, to either side."""

from __future__ import annotations

import pytest

from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry

HOST = "app1.alpha.aigw.example.com"


@pytest.mark.parametrize("manner", ["close_notify", "reset"])
@pytest.mark.parametrize(
    ("field", "beginning"),
    [
        (("Content-Length", "100"), b"x" * 99),
        (("Transfer-Encoding", "chunked"), b"4\r\nhalf\r\n"),
        (("Transfer-Encoding", "chunked"), b"8\r\nhalf"),
        (("Transfer-Encoding", "chunked"), b"4\r\nhalf\r\n0\r\n"),
    ],
    ids=["sized", "between chunks", "within a chunk", "before the end of trailers"],
)
def test_a_truncated_upload(
    entry: Entry, gateway: Gateway, field: tuple[str, str], beginning: bytes, manner: str
) -> None:
    path = gateway.path()
    with entry.client(HOST) as client:
        client.send(client.head("POST", path, [field]) + beginning)
        request = gateway.only(path)
        client.end(reset=manner == "reset")
    assert request.finished.wait(5)
    assert not request.complete


@pytest.mark.parametrize("manner", ["close", "reset"])
@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
    ],
    ids=["sized", "between chunks", "within a chunk", "before the end of trailers"],
)
def test_a_truncated_answer(entry: Entry, gateway: Gateway, beginning: bytes, manner: str) -> None:
    async def truncated(exchange: Exchange) -> None:
        await exchange.send(beginning)
        await latch.wait()
        exchange.reset() if manner == "reset" else exchange.close()

    latch = gateway.latch()
    with entry.client(HOST) as client:
        client.send(client.head("GET", gateway.script(truncated)))
        assert client.response_head().status == 200
        latch.open()
        rest = client.read_to_end()
    assert not rest.endswith(b"0\r\n\r\n")
    assert len(rest) < 50


def test_a_reset_close_delimited_answer(entry: Entry, gateway: Gateway) -> None:
    async def truncated(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await latch.wait()
        exchange.reset()

    latch = gateway.latch()
    with entry.client(HOST) as client:
        client.send(client.head("GET", gateway.script(truncated)))
        assert client.response_head().get("Transfer-Encoding") == "chunked"
        assert client.read_chunk() == b"half"
        latch.open()
        assert client.is_closed()


def test_a_truncated_answer_to_a_1_0_client(entry: Entry, gateway: Gateway) -> None:
    async def truncated(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await latch.wait()
        exchange.reset()

    latch = gateway.latch()
    with entry.client(HOST) as client:
        client.send(client.head("GET", gateway.script(truncated), version="HTTP/1.0"))
        head = client.response_head()
        assert head.get("Content-Length") is None
        latch.open()
        client.read_to_end()
        assert client.reset or not client.close_notify


def test_a_client_that_leaves_frees_the_gateway(entry: Entry, gateway: Gateway) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await exchange.send(b"x" * 10_000)

    path = gateway.script(endless)
    with entry.client(HOST) as client:
        client.send(client.head("GET", path))
        client.read(100_000)
    assert gateway.only(path).finished.wait(5)
