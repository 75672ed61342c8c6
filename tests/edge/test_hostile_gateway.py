"""Gateways that don't read, say too much, or answer too early: no other exchange pays for it."""

from __future__ import annotations

import pytest

from entryproxy.edge.tunnel import FrameBoundaries
from tests.edge.network import World, answer, request


async def test_a_gateway_that_answers_without_reading_is_not_used_again(world: World) -> None:
    """Its write buffer is full already, so nothing would tell the next upload to wait."""
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 100000"))
    await world.settle()
    gateway = world.gateway
    gateway.stalled = True
    client.feed(bytes(100_000))
    gateway.feed(answer(b"done"))
    assert client.take().endswith(b"done")
    assert gateway.is_closing()
    client.feed(request(b"POST", b"/", b"Content-Length: 5", body=b"again"))
    await world.settle()
    assert world.gateway is not gateway
    assert world.gateway.take().endswith(b"again")
    world.gateway.feed(answer())


async def test_a_gateway_that_never_takes_the_rest_is_dropped(world: World) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 100000"))
    await world.settle()
    gateway = world.gateway
    gateway.stalled = True
    client.feed(bytes(100_000))
    gateway.feed(answer(b"done"))
    assert gateway.is_closing()
    world.turn(world.edge.limits.flush_seconds + 1)
    assert gateway.aborted
    gateway.lose()
    world.check_at_rest()


@pytest.mark.parametrize("kind", [b"Content-Length: 40", b"Transfer-Encoding: chunked"])
async def test_an_early_answer_ends_the_connection_of_an_unfinished_body(world: World, kind: bytes) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", kind))
    await world.settle()
    world.gateway.take()
    world.gateway.feed(answer(b"early"))
    assert client.take().endswith(b"early")
    assert client.eof
    client.feed(request(b"GET", b"/smuggled"))
    await world.settle()
    assert len(world.loop.connections) == 1
    assert not client.take()


async def test_a_connection_with_bytes_that_nobody_asked_for_is_not_handed_out(world: World) -> None:
    """Not even before the loop has told of its end."""
    gateway = await world.warm()
    gateway.feed(answer(b"unasked"))
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 0"))
    await world.settle()
    assert world.gateway is not gateway
    world.gateway.feed(answer(b"mine"))
    assert client.take().endswith(b"mine")
    gateway.lose()
    world.check_at_rest()


@pytest.mark.parametrize("frame", [b"\x89\x00", b"\x81\x01a", b"\x82\x07" + bytes(7), b"\x82\x08" + bytes(8)])
def test_runs_of_tiny_frames_end_where_they_end(frame: bytes) -> None:
    run = frame * 5_000
    for missing in (0, 1, len(frame)):
        boundaries = FrameBoundaries()
        boundaries.feed(run[: len(run) - missing])
        assert boundaries.at_boundary == (missing in (0, len(frame)))


def test_tiny_frames_are_followed_in_runs() -> None:
    """A gateway must not cost a worker a second with a few megabytes: at most a handful of steps for a whole read."""
    steps = 0

    class Watched(bytes):
        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            nonlocal steps
            steps += 1
            return super().__getitem__(key)

    FrameBoundaries().feed(Watched(b"\x89\x00" * 30_000))
    assert steps < 10
