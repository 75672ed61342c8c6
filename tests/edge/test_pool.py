"""Gateway connections of a tenant: which address, how many, how long."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from entryproxy.edge.resolver import Resolver
from tests.certificates import Authority
from tests.edge.conftest import MakeWorld
from tests.edge.network import FakeTransport, World, answer, make_tenant, request

ONE, TWO = "127.0.0.1:9001", "127.0.0.2:9002"


def both() -> Any:
    return make_tenant(gateway_addresses=(ONE, TWO))


async def ask(world: World, client: FakeTransport | None = None) -> bytes:
    """One request answered by whoever was dialled."""
    client = client or world.client()
    client.feed(request())
    await world.settle()
    for gateway in world.loop.connections:
        if gateway.take() and gateway.open:
            gateway.feed(answer())
    return client.take()


async def test_idle_connections_are_used_again_newest_first(world: World) -> None:
    clients = [world.client() for _ in range(3)]
    for client in clients:
        client.feed(request())
    await world.settle()
    first, second, third = world.loop.connections
    for gateway in (second, third, first):
        gateway.feed(answer())
        gateway.take()
    clients[0].feed(request())
    assert first.take()
    assert len(world.loop.connections) == 3


async def test_idle_connections_are_bounded(make_world: MakeWorld) -> None:
    world = make_world(gateway_idle_connections_max=2)
    clients = [world.client() for _ in range(4)]
    for client in clients:
        client.feed(request())
    await world.settle()
    for gateway in world.loop.connections:
        gateway.feed(answer())
    assert [gateway.open for gateway in world.loop.connections] == [True, True, False, False]
    for gateway in world.loop.connections[2:]:
        gateway.lose()
    world.check_at_rest()


async def test_idle_connections_end_before_the_gateway_ends_them(world: World) -> None:
    gateway = await world.warm()
    world.turn(world.edge.limits.gateway_idle_seconds + 1)
    assert gateway.is_closing()
    assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
    assert len(world.loop.connections) == 2
    gateway.lose()
    world.check_at_rest()


async def test_all_connections_are_bounded(make_world: MakeWorld) -> None:
    world = make_world(gateway_connections_max=2)
    clients = [world.client() for _ in range(3)]
    for client in clients:
        client.feed(request())
        await world.settle()
    assert clients[2].take().startswith(b"HTTP/1.1 503 ")
    assert clients[2].open
    for gateway in world.loop.connections:
        gateway.feed(answer())
    world.check_at_rest()


async def test_a_refused_address_leads_to_the_next(make_world: MakeWorld) -> None:
    world = make_world(both())
    world.loop.refusals = [ConnectionRefusedError()]
    assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
    assert sorted(world.loop.dialled) == [ONE, TWO]
    assert world.report.tenants["tenant1"].gateway_errors == {"connect": 1}
    world.check_at_rest()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(), "connect"),
        (TimeoutError(), "connect_timeout"),
        (ssl.SSLCertVerificationError(), "gateway_certificate"),
        (ssl.SSLError(), "connect"),
    ],
)
async def test_no_address_left_is_503(make_world: MakeWorld, error: Exception, reason: str) -> None:
    world = make_world(both())
    world.loop.refusals = [error, error]
    data = await ask(world)
    assert data.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in data
    assert world.report.tenants["tenant1"].gateway_errors[reason] == 2
    world.check_at_rest()


async def test_a_connection_that_is_gone_as_soon_as_it_is_there(make_world: MakeWorld) -> None:
    """The loop may report the loss before the one who dialled hears of the connection."""
    world = make_world(both())
    world.loop.doomed = 1
    assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
    assert len(world.loop.dialled) == 2
    world.check_at_rest()


async def test_failing_addresses_are_left_alone(make_world: MakeWorld) -> None:
    world = make_world(both(), ejection_failures=1, ejection_base_seconds=1_000.0)
    world.loop.refusals = [ConnectionRefusedError()]
    await ask(world)
    failed = world.loop.dialled[0]
    for gateway in world.loop.connections:
        gateway.lose()
    for _ in range(4):
        await ask(world)
        for gateway in world.loop.connections:
            if not gateway.lost:
                gateway.lose()
    assert world.loop.dialled.count(failed) == 1


async def test_success_forgives(make_world: MakeWorld) -> None:
    world = make_world(ejection_failures=3)
    world.loop.refusals = [ConnectionRefusedError()]
    await ask(world)
    (endpoint,) = world.state().pool._endpoints.values()
    assert endpoint.health.failures == 1
    await ask(world)
    assert endpoint.health.failures == 0


async def test_the_client_may_leave_while_we_dial(world: World) -> None:
    world.loop.held = asyncio.Event()
    client = world.client()
    client.feed(request())
    await world.settle()
    client.lose()
    world.loop.held.set()
    await world.settle()
    assert world.gateway.take() == b""
    world.loop.held = None
    assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
    assert len(world.loop.connections) == 1, "what was dialled serves the next"
    world.check_at_rest()


async def test_a_changed_gateway_serves_what_begins_from_now_on(world: World) -> None:
    idle = await world.warm()
    client = world.client()
    client.feed(request())
    world.apply(make_tenant(gateway_addresses=(TWO,)))
    assert idle.open
    idle.feed(answer(b"old"))
    assert client.take().endswith(b"old")
    assert idle.is_closing(), "not kept for an address that is no longer wanted"
    await ask(world, client)
    assert world.loop.dialled == [ONE, TWO]


async def test_a_changed_gateway_closes_what_is_idle(world: World) -> None:
    idle = await world.warm()
    world.apply(make_tenant(hsts="max-age=1"))
    assert idle.open, "the gateway is the same"
    world.apply(make_tenant(gateway_addresses=(TWO,)))
    assert idle.is_closing()
    idle.lose()


async def test_a_removed_tenant_lets_its_requests_end(world: World) -> None:
    idle = await world.warm()
    busy, state = world.client(), world.state()
    other = world.client()
    busy.feed(request())
    other.feed(request())
    await world.settle()
    second = world.gateway
    second.feed(answer(b"second"))
    world.apply(removed=("tenant1",))
    assert second.is_closing()
    idle.feed(answer(b"first"))
    assert busy.take().endswith(b"first")
    assert idle.is_closing()
    assert state.report.in_flight == 0
    assert (await ask(world, busy)).startswith(b"HTTP/1.1 404 ")


class SlowNames(Resolver):
    """Names resolve when the test says so."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.gate = asyncio.Event()

    async def resolve(self, address: str) -> list[str]:
        self.wanted.append(address)
        await self.gate.wait()
        return [address.replace("one", "127.0.0.1").replace("two", "127.0.0.2")]


async def test_a_change_while_names_resolve_fails_no_request(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(gateway_addresses=("one:1",)))
    names = SlowNames()
    world.edge.resolver = names
    client = world.client()
    client.feed(request())
    await world.settle()
    world.apply(make_tenant(gateway_addresses=("two:2",)))
    names.gate.set()
    await world.settle()
    assert client.take() == b""
    assert world.loop.dialled == ["127.0.0.2:2"]
    world.gateway.feed(answer())
    assert client.take().startswith(b"HTTP/1.1 200 ")


async def test_a_change_while_we_dial_fails_no_request(world: World) -> None:
    world.loop.held, world.loop.refusals = asyncio.Event(), [ConnectionRefusedError()]
    client = world.client()
    client.feed(request())
    await world.settle()
    world.apply(make_tenant(gateway_addresses=(TWO,)))
    world.loop.held.set()
    await world.settle()
    assert world.loop.dialled == [ONE, TWO]
    world.gateway.feed(answer())
    assert client.take().startswith(b"HTTP/1.1 200 ")


async def test_https_gateways_are_verified_by_name(make_world: MakeWorld, authority: Authority) -> None:
    world = make_world(
        make_tenant(gateway_protocol="https", gateway_name="gateway.example", gateway_ca_pem=authority.pem)
    )
    await ask(world)
    context = world.loop.options["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert world.loop.options["server_hostname"] == "gateway.example"
