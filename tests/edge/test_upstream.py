"""A connection to a gateway: where its answers end, and when it must not be used again."""

from __future__ import annotations

import pytest

from tests.edge.conftest import MakeWorld
from tests.edge.network import DATE, FakeTransport, World, answer, request

_OK = b"HTTP/1.1 200 OK\r\n" + DATE


async def ask(world: World, method: bytes = b"GET") -> tuple[FakeTransport, FakeTransport]:
    client = world.client()
    client.feed(request(method))
    await world.settle()
    world.gateway.take()
    return client, world.gateway


@pytest.mark.parametrize("size", [1, 3, 1_000])
@pytest.mark.parametrize(
    "data",
    [
        answer(b"hello"),
        answer(b""),
        answer(b"hello", date=False),
        _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"hello"),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + answer(b"hello"),
    ],
)
async def test_whole_answers_split_anywhere_leave_the_connection_usable(world: World, data: bytes, size: int) -> None:
    client, gateway = await ask(world)
    for at in range(0, len(data), size):
        assert gateway.open
        gateway.feed(data[at : at + size])
    assert client.take()
    assert gateway.open
    client.feed(request(b"GET", b"/again"))
    assert gateway.take().startswith(b"GET /again ")
    gateway.feed(answer())
    world.check_at_rest()


@pytest.mark.parametrize(
    "data",
    [
        answer(b"hello") + b"x",
        answer(b"hello") + answer(b"again"),
        _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nx",
        b"HTTP/1.1 204 No Content\r\n\r\nx",
        answer(b"hello", b"Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_what_leaves_doubt_ends_the_connection_but_not_the_answer(world: World, data: bytes) -> None:
    client, gateway = await ask(world)
    gateway.feed(data)
    assert client.take().startswith(b"HTTP/1.1 20")
    assert client.open
    assert gateway.is_closing()
    client.feed(request(b"POST", b"/", b"Content-Length: 0"))
    await world.settle()
    assert world.gateway is not gateway
    world.gateway.feed(answer())
    gateway.lose()
    world.check_at_rest()


async def test_a_head_answer_with_a_body_ends_the_connection(world: World) -> None:
    client, gateway = await ask(world, b"HEAD")
    gateway.feed(answer(b"hello"))
    assert client.take().endswith(b"\r\n\r\n")
    assert gateway.is_closing()


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
    ],
)
async def test_nonsense_is_502(world: World, data: bytes) -> None:
    client, gateway = await ask(world)
    gateway.feed(data)
    assert client.take().startswith(b"HTTP/1.1 502 ")
    assert gateway.aborted
    assert world.report.tenants["tenant1"].gateway_errors == {"gateway_protocol": 1}
    gateway.lose()
    world.check_at_rest()


async def test_a_head_without_end_is_502(make_world: MakeWorld) -> None:
    world = make_world(gateway_head_bytes_max=1_000)
    client, gateway = await ask(world)
    gateway.feed(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 900)
    assert client.take() == b""
    gateway.feed(b"x" * 200)
    assert client.take().startswith(b"HTTP/1.1 502 ")
    assert gateway.aborted
    gateway.lose()
    world.check_at_rest()


async def test_a_long_head_that_ends_is_judged_too(make_world: MakeWorld) -> None:
    world = make_world(gateway_head_bytes_max=1_000)
    client, gateway = await ask(world)
    gateway.feed(answer(b"", b"A: " + b"x" * 5_000))
    assert client.take().startswith(b"HTTP/1.1 502 ")
    assert gateway.aborted
    client, gateway = await ask(world)
    gateway.feed(answer(bytes(5_000), b"A: " + b"x" * 500))
    assert client.take().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 502),
        (b"HTTP/1.1 200", 502),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 502),
        (answer(b"hello")[:-1], 200),
        (_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200),
        (_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", 200),
    ],
)
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_an_answer_cut_short_never_looks_complete(
    world: World, data: bytes, status: int, error: Exception | None
) -> None:
    client, gateway = await ask(world, b"POST")
    if data:
        gateway.feed(data)
    if gateway.open and error is None:
        gateway.finish()
    gateway.lose(error)
    received = client.take().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 %d " % status)
    if status == 200:
        assert not received.endswith((b"0\r\n\r\n", b"hello\r\n\r\n0\r\n\r\n"))
        assert client.is_closing()
    else:
        assert client.open, "the answer is ours and whole"
    client.lose()
    world.check_at_rest()
    assert [line["status"] for line in world.logged] == [status]
    assert world.logged[0]["error"]


async def test_a_close_delimited_answer_that_is_reset_never_looks_complete(world: World) -> None:
    client, gateway = await ask(world)
    gateway.feed(_OK + b"\r\nhello")
    gateway.lose(ConnectionResetError())
    assert client.is_closing()
    assert not client.take().endswith(b"0\r\n\r\n")


async def test_a_slow_client_pauses_the_gateway_and_leaves_a_fresh_connection_behind(world: World) -> None:
    client, gateway = await ask(world)
    client.stalled = True
    gateway.feed(answer(bytes(100_000))[:-1])
    assert not gateway.is_reading()
    client.drain()
    assert gateway.is_reading()
    client.stalled = True
    client._buffered = 70_000
    client.protocol.pause_writing()  # type: ignore[union-attr]
    gateway.resume_reading()
    gateway.feed(b"\0")
    assert gateway.is_reading(), "the next exchange may have another client"
    other, _ = await ask(world)
    gateway.feed(answer(b"other"))
    assert other.take().endswith(b"other")
