"""Tunnels after an upgrade, and where WebSocket frames end."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from entryproxy.edge.tunnel import FrameBoundaries
from tests.edge.network import FakeTransport, World, request

_KEY = base64.b64encode(bytes(16))
_ACCEPT = base64.b64encode(hashlib.sha1(_KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
_GOING_AWAY = b"\x88\x02\x03\xe9"


def frame(payload: bytes, *, masked: bool = False, long: bool = False) -> bytes:
    size = len(payload)
    mask = 0x80 if masked else 0
    if size > 65_535 or long:
        header = bytes((0x82, mask | 127)) + size.to_bytes(8)
    elif size > 125:
        header = bytes((0x82, mask | 126)) + size.to_bytes(2)
    else:
        header = bytes((0x82, mask | size))
    return header + (b"mask" if masked else b"") + payload


_FRAMES = st.lists(
    st.builds(
        frame,
        st.one_of(
            st.binary(max_size=140), st.sampled_from([b"", bytes(125), bytes(126), bytes(65_535), bytes(65_536)])
        ),
        masked=st.booleans(),
        long=st.booleans(),
    ),
    max_size=6,
)


@given(_FRAMES, st.lists(st.integers(0, 70_000), max_size=12))
def test_any_split_gives_the_same_boundaries(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    ends = {0}
    for one in frames:
        ends.add(max(ends) + len(one))
    boundaries, position = FrameBoundaries(), 0
    for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        boundaries.feed(data[position:cut])
        position = cut
        assert boundaries.at_boundary is (position in ends)


@given(_FRAMES)
def test_byte_by_byte(frames: list[bytes]) -> None:
    boundaries = FrameBoundaries()
    for one in frames:
        for at in range(min(len(one), 300)):
            boundaries.feed(one[at : at + 1])
            assert boundaries.at_boundary is (at + 1 == len(one))
        boundaries.feed(one[300:])
        assert boundaries.at_boundary


async def open_tunnel(world: World, protocol: bytes = b"websocket") -> tuple[FakeTransport, FakeTransport]:
    client = world.client()
    fields = [b"Connection: Upgrade", b"Upgrade: " + protocol]
    accept = b""
    if protocol == b"websocket":
        fields += [b"Sec-WebSocket-Key: " + _KEY, b"Sec-WebSocket-Version: 13"]
        accept = b"Sec-WebSocket-Accept: " + _ACCEPT + b"\r\n"
    client.feed(request(b"GET", b"/", *fields))
    await world.settle()
    world.gateway.take()
    world.gateway.feed(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: " + protocol + b"\r\n" + accept + b"\r\n"
    )
    assert client.take().startswith(b"HTTP/1.1 101 ")
    return client, world.gateway


async def test_bytes_pass_both_ways(world: World) -> None:
    client, gateway = await open_tunnel(world)
    client.feed(b"up")
    gateway.feed(b"down")
    assert (gateway.take(), client.take()) == (b"up", b"down")
    client.finish()
    assert client.is_closing()
    assert gateway.is_closing()
    assert not gateway.aborted, "what was sent is flushed"
    client.lose()
    gateway.lose()
    world.check_at_rest()
    assert [(line["status"], line["error"]) for line in world.logged] == [(101, None)]


async def test_the_gateways_end_is_the_clients(world: World) -> None:
    client, gateway = await open_tunnel(world)
    gateway.finish()
    gateway.lose()
    assert client.is_closing()
    client.lose()
    world.check_at_rest()


async def test_silence_ends_a_tunnel_and_every_byte_prolongs_it(world: World) -> None:
    client, gateway = await open_tunnel(world)
    idle = world.state().tenant.timeouts.idle
    world.turn(idle - 1)
    assert client.open
    world.turn(idle + 1)
    assert client.is_closing()
    client.lose()
    gateway.lose()
    world.check_at_rest()


async def test_backpressure_both_ways(world: World) -> None:
    client, gateway = await open_tunnel(world)
    gateway.stalled = client.stalled = True
    client.feed(bytes(70_000))
    assert not client.is_reading()
    gateway.feed(bytes(70_000))
    assert not gateway.is_reading()
    gateway.drain()
    client.drain()
    assert client.is_reading()
    assert gateway.is_reading()


async def test_a_websocket_is_told_to_go_at_a_boundary_only(world: World) -> None:
    client, gateway = await open_tunnel(world)
    gateway.feed(frame(b"hello")[:-1])
    world.edge.draining = True
    client.protocol.drain()  # type: ignore[union-attr]
    assert client.take() == frame(b"hello")[:-1]
    gateway.feed(frame(b"hello")[-1:])
    assert client.take() == b"o" + _GOING_AWAY
    gateway.feed(frame(b"late"))
    assert client.take() == b"", "nothing follows a Close frame"
    client.feed(b"close")
    assert gateway.take() == b"close"
    client.protocol.drain()  # type: ignore[union-attr]
    assert client.take() == b"", "told once"


async def test_a_websocket_that_rests_is_told_at_once(world: World) -> None:
    client, _ = await open_tunnel(world)
    world.edge.draining = True
    client.protocol.drain()  # type: ignore[union-attr]
    assert client.take() == _GOING_AWAY


async def test_other_protocols_are_told_nothing(world: World) -> None:
    client, gateway = await open_tunnel(world, b"sockets/1")
    world.edge.draining = True
    client.protocol.drain()  # type: ignore[union-attr]
    gateway.feed(b"x")
    assert client.take() == b"x"


async def test_no_byte_passes_before_the_101(world: World) -> None:
    client = world.client()
    client.feed(request(b"GET", b"/", b"Connection: Upgrade", b"Upgrade: other/1") + b"early")
    client.feed(b" bird")
    await world.settle()
    assert b"early" not in world.gateway.take()
    world.gateway.feed(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other/1\r\n\r\ndown")
    assert world.gateway.take() == b"early bird"
    assert client.take().endswith(b"\r\n\r\ndown")


async def test_a_101_that_nobody_asked_for_is_nonsense(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    world.gateway.feed(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other/1\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 502 ")
    assert world.gateway.aborted
    world.gateway.lose()
    world.check_at_rest()


async def test_an_upgrade_that_is_declined_is_an_answer(world: World) -> None:
    client = world.client()
    client.feed(request(b"GET", b"/", b"Connection: Upgrade", b"Upgrade: other/1"))
    await world.settle()
    world.gateway.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
    assert client.take().endswith(b"\r\n\r\nno")
    client.feed(request())
    assert world.gateway.take().startswith(b"GET / ")
