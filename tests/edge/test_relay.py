"""How an answer is framed for its client: every kind of gateway answer for every kind of client."""

from __future__ import annotations

import pytest

from tests.edge.conftest import MakeWorld
from tests.edge.network import DATE, HOST, World, make_tenant

_BODY = b"hello world"
_CHUNKS = b"5\r\nhello\r\n6\r\n world\r\n"
_SIZED = b"Content-Length: 11\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def relayed(
    world: World, start: bytes, head: bytes, body: bytes, *, status: bytes = b"200 OK", until_close: bool = False
) -> tuple[bytes, bytes, bool]:
    """The head and the body that the client gets, and whether its connection goes on."""
    client = world.client()
    client.feed(start + b"Host: " + HOST + b"\r\n\r\n")
    await world.settle()
    world.gateway.feed(b"HTTP/1.1 " + status + b"\r\n" + DATE + head + b"\r\n")
    for at in range(0, len(body), 4):
        world.gateway.feed(body[at : at + 4])
    if until_close:
        world.gateway.finish()
        world.gateway.lose()
    received, _, rest = client.take().partition(b"\r\n\r\n")
    open_ = client.open and not client.eof
    client.lose()
    world.check_at_rest()
    head = (received + b"\r\n").removeprefix(b"HTTP/1.1 " + status + b"\r\n" + DATE)
    return head, rest, open_


_GET, _GET_1_0, _GET_1_0_KEEP = (
    b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n",
)  # fmt: skip
_CLOSE, _KEEP = b"Connection: close\r\n", b"Connection: keep-alive\r\n"


@pytest.mark.parametrize(
    ("start", "head", "body", "expected_head", "expected_body", "goes_on"),
    [
        (_GET, _SIZED, _BODY, _SIZED, _BODY, True),
        (_GET_1_0, _SIZED, _BODY, _SIZED + _CLOSE, _BODY, False),
        (_GET_1_0_KEEP, _SIZED, _BODY, _SIZED + _KEEP, _BODY, True),
        (_GET_1_0, _CHUNKED, _CHUNKS + b"0\r\n\r\n", _CLOSE, _BODY, False),
        (_GET_1_0_KEEP, _CHUNKED, _CHUNKS + b"0\r\n\r\n", _CLOSE, _BODY, False),
        (b"HEAD / HTTP/1.1\r\n", _SIZED, b"", _SIZED, b"", True),
        (b"HEAD / HTTP/1.1\r\n", b"", b"", b"", b"", True),
        (b"HEAD / HTTP/1.1\r\n", _CHUNKED, b"", b"", b"", True),
        (b"HEAD / HTTP/1.0\r\n", _CHUNKED, b"", _CLOSE, b"", False),
    ],
)
async def test_framing(
    world: World, start: bytes, head: bytes, body: bytes, expected_head: bytes, expected_body: bytes, goes_on: bool
) -> None:
    assert await relayed(world, start, head, body) == (expected_head, expected_body, goes_on)


async def test_chunks_are_framed_anew(world: World) -> None:
    head, body, goes_on = await relayed(world, _GET, _CHUNKED, b"b;ext=1\r\nhello world\r\n0;x\r\nA: 1\r\n\r\n")
    assert (head, goes_on) == (_CHUNKED, True)
    assert b"ext" not in body
    assert body.endswith(b"0\r\nA: 1\r\n\r\n")


@pytest.mark.parametrize(
    ("start", "head", "body"),
    [(_GET, _CHUNKED, b"4\r\nhell\r\n4\r\no wo\r\n3\r\nrld\r\n0\r\n\r\n"), (_GET_1_0_KEEP, _CLOSE, _BODY)],
)
async def test_close_delimited(world: World, start: bytes, head: bytes, body: bytes) -> None:
    assert await relayed(world, start, b"", _BODY, until_close=True) == (head, body, start == _GET)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("head", [b"", _SIZED, _CHUNKED])
async def test_answers_that_have_no_body(world: World, status: bytes, head: bytes) -> None:
    expected = _SIZED if head == _SIZED and status.startswith(b"304") else b""
    assert await relayed(world, _GET, head, b"", status=status) == (expected, b"", True)


async def test_205_may_say_zero(world: World) -> None:
    length = b"Content-Length: 0\r\n"
    assert await relayed(world, _GET, length, b"", status=b"205 Reset Content") == (length, b"", True)


async def test_a_date_is_added_where_the_gateway_has_no_clock(world: World) -> None:
    client = world.client()
    client.feed(_GET + b"Host: " + HOST + b"\r\n\r\n")
    await world.settle()
    world.gateway.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.take().count(b"\r\nDate: ") == 1


async def test_plain_connections_carry_no_hsts(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(hsts="max-age=5"))
    assert await relayed(world, _GET, _SIZED, _BODY) == (_SIZED, _BODY, True)
