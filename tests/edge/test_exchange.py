"""One request from its head to its log line: limits, retries, deadlines, early answers, backpressure, leaving."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from entryproxy.model.tenant import Limits, Platform, Timeouts
from tests.edge.conftest import MakeWorld
from tests.edge.network import HOST, SYSTEM_DOMAIN, FakeTransport, World, answer, make_tenant, request


def status_of(data: bytes) -> int:
    return int(data[9:12]) if data else 0


# -- what the gateway gets


async def test_the_whole_head(world: World) -> None:
    client = world.client()
    client.feed(request(b"GET", b"/a?b", b"Accept: */*", b"X-Request-Id: mine", b"X-Real-IP: 6.6.6.6"))
    await world.settle()
    head = world.gateway.take()
    assert head.partition(b"X-Request-Id: ")[0] == (
        b"GET /a?b HTTP/1.1\r\nHost: " + HOST + b"\r\nAccept: */*\r\nX-Forwarded-Host: " + HOST + b"\r\n"
        b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nX-Entry-Tenant: tenant1\r\n"
        b"X-Entry-Domain-Type: system\r\nVia: 1.1 entryproxy\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n"
    )
    identifier = head.partition(b"X-Request-Id: ")[2]
    assert len(identifier) == 32 + 4
    assert b"mine" not in head
    world.gateway.feed(answer(b"x"))
    (line,) = world.logged
    assert line["requestId"] == identifier[:32].decode()
    assert (line["path"], line["gateway"], line["status"]) == ("/a?b", "127.0.0.1:9001", 200)
    assert line["receivedBytes"] == len(
        request(b"GET", b"/a?b", b"Accept: */*", b"X-Request-Id: mine", b"X-Real-IP: 6.6.6.6")
    )
    assert line["sentBytes"] == len(client.take())


async def test_what_a_trusted_proxy_says(make_world: MakeWorld) -> None:
    world = make_world(platform=Platform(system_domain=SYSTEM_DOMAIN, trusted_proxies=("10.0.0.0/8",)))
    client = world.client("10.0.0.5")
    client.feed(
        request(b"GET", b"/", b"X-Forwarded-For: 203.0.113.9", b"X-Request-Id: theirs", b"X-Forwarded-Proto: https")
    )
    await world.settle()
    head = world.gateway.take()
    assert b"X-Forwarded-For: 203.0.113.9, 10.0.0.5\r\nX-Real-IP: 203.0.113.9\r\n" in head
    assert b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n" in head
    assert head.endswith(b"X-Request-Id: theirs\r\n\r\n")
    world.gateway.feed(answer())
    assert world.logged[0]["client"] == "203.0.113.9"


async def test_an_upload_in_pieces(world: World) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 10", body=b"012"))
    assert not client.is_reading(), "held while we dial"
    await world.settle()
    assert client.is_reading()
    client.feed(b"345")
    client.feed(b"6789" + request(b"GET", b"/next"))
    assert world.gateway.take().endswith(b"\r\n\r\n0123456789")
    world.gateway.feed(answer())
    assert world.gateway.take().startswith(b"GET /next ")


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_chunked_upload_with_trailers(world: World, size: int) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Transfer-Encoding: chunked"))
    await world.settle()
    assert b"Transfer-Encoding: chunked\r\n" in world.gateway.take()
    data = b"3;x=y\r\nabc\r\n0\r\nDigest: 1\r\nContent-Length: 5\r\n\r\n" + request(b"GET", b"/next")
    for at in range(0, len(data), size):
        client.feed(data[at : at + size])
    sent = world.gateway.take()
    assert sent.endswith(b"0\r\nDigest: 1\r\n\r\n")
    assert b"x=y" not in sent
    world.gateway.feed(answer())
    assert world.gateway.take().startswith(b"GET /next ")


async def test_a_broken_chunk_never_looks_complete_to_the_gateway(world: World) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Transfer-Encoding: chunked"))
    await world.settle()
    world.gateway.take()
    client.feed(b"3\r\nabcX")
    assert status_of(client.take()) == 400
    assert client.eof
    assert world.gateway.aborted
    assert not world.gateway.take().endswith(b"0\r\n\r\n")
    client.lose()
    world.gateway.lose()
    world.check_at_rest()
    assert world.report.rejected == {"malformed_chunk": 1}


# -- limits


@pytest.mark.parametrize("framing", [b"Content-Length: 11", b"Transfer-Encoding: chunked"])
async def test_bodies_over_the_limit(make_world: MakeWorld, framing: bytes) -> None:
    world = make_world(make_tenant(limits=Limits(request_body_bytes=10)))
    client = world.client()
    client.feed(request(b"POST", b"/", framing))
    await world.settle()
    if b"chunked" in framing:
        client.feed(b"b\r\nhello world\r\n0\r\n\r\n")
        assert world.gateway.aborted
        world.gateway.lose()
    assert status_of(client.take()) == 413
    assert client.eof
    client.lose()
    world.check_at_rest()
    assert world.report.rejected == {"body_too_large": 1}


async def test_concurrency_is_given_back_on_every_path(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(limits=Limits(connections=1, request_body_bytes=10), budget_slot=31))
    budgets = world.edge.budgets

    async def begin() -> FakeTransport:
        client = world.client()
        client.feed(request(b"POST", b"/", b"Content-Length: 5"))
        await world.settle()
        assert budgets.concurrent(31) == 1
        return client

    client = await begin()
    client.feed(b"01234")
    world.gateway.feed(answer())
    assert budgets.concurrent(31) == 0
    client = await begin()
    client.lose()
    assert budgets.concurrent(31) == 0
    await begin()
    world.gateway.lose()
    assert budgets.concurrent(31) == 0
    await begin()
    world.turn(1_000)
    assert budgets.concurrent(31) == 0
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 11"))
    assert status_of(client.take()) == 413
    assert budgets.concurrent(31) == 0
    world.loop.refusals = [ConnectionRefusedError()]
    client = world.client()
    client.feed(request())
    await world.settle()
    assert status_of(client.take()) == 503
    assert budgets.concurrent(31) == 0
    assert world.report.tenants["tenant1"].in_flight == 0


# -- retries


async def test_a_reused_connection_that_turns_out_dead_is_tried_once_more(world: World) -> None:
    stale = await world.warm()
    client = world.client()
    client.feed(request())
    assert stale.take()
    stale.lose(ConnectionResetError())
    await world.settle()
    assert world.gateway is not stale
    world.gateway.feed(answer(b"fresh"))
    assert client.take().endswith(b"fresh")
    world.check_at_rest()
    assert [line["status"] for line in world.logged] == [200, 200]


@pytest.mark.parametrize(
    ("method", "fields", "body"),
    [
        (b"POST", (), b""),
        (b"PATCH", (), b""),
        (b"PUT", (b"Content-Length: 1",), b"x"),
        (b"GET", (b"Connection: upgrade", b"Upgrade: x"), b""),
    ],
)
async def test_what_is_not_safe_to_repeat_is_not_repeated(
    world: World, method: bytes, fields: tuple[bytes, ...], body: bytes
) -> None:
    stale = await world.warm()
    client = world.client()
    client.feed(request(method, b"/", *fields, body=body))
    stale.lose(ConnectionResetError())
    await world.settle()
    assert status_of(client.take()) == 502
    assert world.gateway is stale
    world.check_at_rest()


async def test_once_an_answer_has_begun_there_is_no_retry(world: World) -> None:
    stale = await world.warm()
    client = world.client()
    client.feed(request())
    stale.feed(b"HTTP/1.1 2")
    stale.lose()
    await world.settle()
    assert status_of(client.take()) == 502
    assert world.gateway is stale


async def test_a_fresh_connection_is_not_tried_again(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    world.gateway.lose()
    await world.settle()
    assert status_of(client.take()) == 502
    assert len(world.loop.connections) == 1


# -- deadlines


async def test_a_silent_gateway_is_504(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(timeouts=Timeouts(first_byte=5)))
    client = world.client()
    client.feed(request())
    await world.settle()
    world.turn(4)
    assert client.take() == b""
    world.turn(6)
    assert status_of(client.take()) == 504
    assert client.open, "the client may go on"
    assert world.gateway.aborted
    world.gateway.lose()
    world.check_at_rest()


async def test_a_silent_client_is_408(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(timeouts=Timeouts(idle=5)))
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 5"))
    await world.settle()
    world.turn(6)
    assert status_of(client.take()) == 408
    assert client.eof
    world.gateway.lose()
    client.lose()
    world.check_at_rest()


async def test_an_answer_that_stalls_is_cut(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(timeouts=Timeouts(idle=5)))
    client = world.client()
    client.feed(request())
    await world.settle()
    world.gateway.feed(answer(b"hello")[:-1])
    world.turn(6)
    assert client.is_closing()
    assert world.gateway.aborted
    client.lose()
    world.gateway.lose()
    world.check_at_rest()
    assert world.logged[0]["error"] == "idle_timeout"


# -- early answers


@pytest.mark.parametrize("status", [b"200 OK", b"413 Content Too Large"])
async def test_an_early_answer_ends_both_connections(world: World, status: bytes) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 100", body=bytes(10)))
    await world.settle()
    world.gateway.feed(answer(b"early", status=status))
    data = client.take()
    assert data.endswith(b"early")
    assert (b"\r\nConnection: close\r\n" in data) is status.startswith(b"4")
    assert client.eof
    assert world.gateway.is_closing()
    world.gateway.lose()
    client.lose()
    world.check_at_rest()


async def test_an_answer_that_ends_after_its_upload_keeps_the_connection(world: World) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 4"))
    await world.settle()
    whole = answer(b"echo")
    world.gateway.feed(whole[:-4])
    client.feed(b"echo")
    world.gateway.feed(whole[-4:])
    assert client.open
    assert not client.eof
    client.feed(request())
    assert world.gateway.take().endswith(b"\r\n\r\n")


# -- backpressure


async def test_a_slow_gateway_holds_the_client(world: World) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 1000000"))
    await world.settle()
    world.gateway.stalled = True
    sent = 0
    while client.is_reading():
        client.feed(bytes(16_384))
        sent += 16_384
    assert sent <= 65_536 + 2 * 16_384
    world.gateway.drain()
    assert client.is_reading()


async def test_a_slow_client_holds_the_gateway(world: World) -> None:
    client = world.client()
    client.stalled = True
    client.feed(request())
    await world.settle()
    gateway = world.gateway
    gateway.feed(answer(bytes(1_000_000))[:1_000])
    while gateway.is_reading():
        gateway.feed(bytes(16_384))
    assert len(client.sent) <= 65_536 + 2 * 16_384
    client.drain()
    assert gateway.is_reading()


# -- leaving


@pytest.mark.parametrize("progress", ["dialling", "waiting", "answering"])
async def test_a_client_that_leaves_cancels_the_work(world: World, progress: str) -> None:
    world.loop.held = asyncio.Event() if progress == "dialling" else None
    client = world.client()
    client.feed(request())
    await world.settle()
    if progress == "answering":
        world.gateway.feed(answer(b"hello")[:-1])
    client.finish()
    client.lose()
    if world.loop.held is not None:
        world.loop.held.set()
        await world.settle()
        assert world.gateway.open
    else:
        assert world.gateway.aborted
        world.gateway.lose()
    world.check_at_rest()
    assert [line["status"] for line in world.logged] == [200 if progress == "answering" else 499]


async def test_nothing_keeps_what_is_over(world: World) -> None:
    """Connections and exchanges go as soon as they are over, or at the next look of the collector."""
    gone = []
    for fields in ((), (b"Content-Length: 2",), (b"Connection: close",)):
        client = world.client()
        client.feed(request(b"POST", b"/", *fields))
        await world.settle()
        http = world.http_of(client)
        gone.append(weakref.ref(client))
        if fields and fields[0].endswith(b"2"):
            client.feed(b"ab")
        world.gateway.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
        client.lose()
        del client, http
    world.edge.accounts.settle()
    gc.collect()
    assert [reference() for reference in gone] == [None] * len(gone)
    assert not world.edge.links
