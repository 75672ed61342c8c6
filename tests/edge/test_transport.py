"""A client's connection below HTTP, on the plaintext port."""

from __future__ import annotations

import pytest

from entryproxy.model.tenant import Platform
from tests.edge.conftest import MakeWorld
from tests.edge.network import SYSTEM_DOMAIN, World, answer, request

_TRUSTING = Platform(system_domain=SYSTEM_DOMAIN, trusted_proxies=("10.0.0.0/8",))


async def test_connections_over_the_cap_are_refused(make_world: MakeWorld) -> None:
    world = make_world(connections_max=1)
    first, second = world.client(), world.client()
    assert first.open
    assert second.aborted
    second.protocol.data_received(request())  # type: ignore[union-attr]
    second.finish()
    second.lose()
    assert world.report.client_connections == 1
    assert world.report.rejected == {"connections": 1}
    first.lose()
    assert world.client().open
    assert world.report.client_connections == 1


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("10.0.0.7", b"PROXY TCP4 203.0.113.9 10.0.0.1 1 80\r\n", "203.0.113.9"),
        ("10.0.0.7", b"PROXY UNKNOWN\r\n", "10.0.0.7"),
        ("10.0.0.7", b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "10.0.0.7"),
    ],
)
async def test_proxy_headers_of_trusted_peers(make_world: MakeWorld, peer: str, header: bytes, client: str) -> None:
    for step in (1, len(header)):
        world = make_world(platform=_TRUSTING, proxy_protocol=True)
        transport = world.client(peer)
        for at in range(0, len(header), step):
            transport.feed(header[at : at + step])
        transport.feed(request())
        await world.settle()
        assert f"X-Real-IP: {client}\r\n".encode() in world.gateway.take()


async def test_untrusted_peers_have_no_proxy_header(make_world: MakeWorld) -> None:
    world = make_world(platform=_TRUSTING, proxy_protocol=True)
    transport = world.client("192.0.2.1")
    transport.feed(b"PROXY TCP4 203.0.113.9 10.0.0.1 1 80\r\n\r\n")
    assert transport.take().startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("data", [request(), b"PROXY TCP9 a b\r\n", bytes(20)])
async def test_what_is_no_proxy_header_ends_the_connection(make_world: MakeWorld, data: bytes) -> None:
    world = make_world(platform=_TRUSTING, proxy_protocol=True)
    transport = world.client("10.0.0.7")
    transport.feed(data)
    assert transport.aborted
    assert world.report.rejected == {"proxy_header": 1}
    transport.lose()
    world.check_at_rest()


async def test_a_proxy_header_that_does_not_come_meets_the_deadline(make_world: MakeWorld) -> None:
    world = make_world(platform=_TRUSTING, proxy_protocol=True)
    transport = world.client("10.0.0.7")
    transport.feed(b"PROXY TCP4")
    world.turn(world.edge.limits.handshake_seconds + 1)
    assert transport.aborted
    assert world.report.rejected == {"handshake_timeout": 1}


async def test_silence_meets_the_deadline_of_a_head(world: World) -> None:
    transport = world.client()
    world.turn(world.edge.limits.head_seconds + 1)
    assert transport.is_closing()
    assert transport.take() == b"", "nobody asked for anything"


async def test_the_last_flush_has_a_deadline(world: World) -> None:
    transport = world.client()
    transport.stalled = True
    transport.feed(request(b"GET", b"/", b"Connection: close"))
    await world.settle()
    world.gateway.feed(answer(b"x"))
    assert (transport.is_closing(), transport.aborted) == (True, False)
    world.turn(world.edge.limits.flush_seconds + 1)
    assert transport.aborted
    transport.lose()
    world.check_at_rest()


async def test_an_idle_connection_closes_when_the_pod_goes(world: World) -> None:
    fresh, used = world.client(), world.client()
    used.feed(request())
    await world.settle()
    world.gateway.feed(answer())
    for transport in (fresh, used):
        transport.protocol.drain()  # type: ignore[union-attr]
    assert used.is_closing()
    assert fresh.open, "it may still send its one request"
