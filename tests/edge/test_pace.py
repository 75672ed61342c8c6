"""The minimum rate, on fake time."""

from __future__ import annotations

import pytest

from tests.edge.conftest import MakeWorld
from tests.edge.network import FakeTransport, World, answer, request

GRACE = 10.0


@pytest.fixture
async def paced(make_world: MakeWorld) -> World:
    return make_world(rate_grace_seconds=GRACE, rate_minimum_bytes_per_second=100.0)


async def uploading(world: World, length: int = 100_000) -> FakeTransport:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: %d" % length))
    await world.settle()
    return client


@pytest.mark.parametrize(("sent", "ends"), [(999, True), (1_100, False)])
async def test_a_dribbled_body_is_given_up(paced: World, sent: int, ends: bool) -> None:
    client = await uploading(paced)
    paced.turn(GRACE + 0.5)
    client.feed(bytes(sent))
    paced.turn(2 * GRACE + 1)
    assert client.take().startswith(b"HTTP/1.1 408 ") is ends
    assert paced.gateway.aborted is ends
    assert paced.report.rejected == ({"slow_body": 1} if ends else {})
    client.lose()


async def test_the_gateways_slowness_is_not_the_clients(paced: World) -> None:
    client = await uploading(paced)
    paced.gateway.stalled = True
    client.feed(bytes(70_000))
    assert not client.is_reading()
    paced.turn(GRACE + 0.5)
    paced.turn(2 * GRACE + 1)
    assert client.take() == b""
    client.lose()


async def test_the_next_request_is_not_judged_by_the_last(paced: World) -> None:
    """Two uploads on one connection: the second had no whole period yet."""
    client = await uploading(paced, 50_000)
    client.feed(bytes(20_000))
    paced.turn(GRACE + 0.5)
    client.feed(bytes(30_000))
    paced.gateway.feed(answer())
    client.take()
    client.feed(request(b"POST", b"/", b"Content-Length: 50000", body=bytes(100)))
    paced.turn(2 * GRACE + 1)
    assert client.take() == b""
    client.feed(bytes(49_900))
    paced.gateway.feed(answer())
    assert client.take().startswith(b"HTTP/1.1 200 ")
    client.lose()


async def test_a_client_that_does_not_read_is_given_up(paced: World) -> None:
    client = paced.client()
    client.stalled = True
    client.feed(request())
    await paced.settle()
    paced.gateway.feed(answer(bytes(10)).replace(b"Content-Length: 10", b"Content-Length: 1000000"))
    paced.gateway.feed(bytes(70_000))
    assert not paced.gateway.is_reading()
    assert client.open
    paced.turn(GRACE + 0.5)
    assert client.aborted
    assert paced.gateway.aborted
    assert paced.report.rejected == {"slow_reader": 1}
    client.lose()
    paced.gateway.lose()
    paced.check_at_rest()


async def test_silent_streams_are_left_alone(paced: World) -> None:
    client = paced.client()
    client.feed(request())
    await paced.settle()
    paced.gateway.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.protocol.pause_writing()  # type: ignore[union-attr]
    client.protocol.resume_writing()  # type: ignore[union-attr]
    for period in range(1, 5):
        paced.turn(period * (GRACE + 0.5))
    assert client.open
    client.lose()


async def test_nothing_stays_on_the_wheel(paced: World) -> None:
    client = await uploading(paced)
    client.lose()
    assert not any(paced.edge.wheel._buckets.values())
