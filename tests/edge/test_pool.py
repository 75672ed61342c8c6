"""Gateway connections of a tenant: which address, how many, how long."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import msgspec
import pytest

from entryproxy.edge.pool import gateway_context
from entryproxy.model.tenant import GatewayEndpoint, Tenant
from tests.certificates import Authority
from tests.edge.conftest import MakeWorld
from tests.edge.network import FakeTransport, Names, World, answer, make_tenant, request

ONE, TWO, THREE = "127.0.0.1:9001", "127.0.0.2:9002", "127.0.0.3:9003"


def both() -> Any:
    return make_tenant(gateway_addresses=(ONE, TWO))


def pods(*addresses: str, draining: tuple[str, ...] = ()) -> Tenant:
    """A tenant whose gateway has these pods."""
    endpoints = [GatewayEndpoint(address=address) for address in addresses]
    endpoints += [GatewayEndpoint(address=address, draining=True) for address in draining]
    return make_tenant(gateway_addresses=(), gateway_endpoints=tuple(endpoints))


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


async def test_those_who_wait_for_a_name_count(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(gateway_addresses=("one:1",)), gateway_connections_max=2)
    names = world.edge.resolver = Names()
    names.gate.clear()
    clients = [world.client() for _ in range(3)]
    for client in clients:
        client.feed(request())
    assert clients[2].take().startswith(b"HTTP/1.1 503 ")
    names.set("one", "127.0.0.1")
    names.gate.set()
    await world.settle()
    assert world.loop.dialled == ["127.0.0.1:1"] * 2


async def test_one_request_after_the_other_takes_one_connection_to_each_address(make_world: MakeWorld) -> None:
    world = make_world(both())
    client = world.client()
    for _ in range(10):
        assert (await ask(world, client)).startswith(b"HTTP/1.1 200 ")
    assert sorted(world.loop.dialled) == [ONE, TWO]
    world.check_at_rest()


async def test_who_is_slow_to_accept_is_not_waited_for_by_all(make_world: MakeWorld) -> None:
    world = make_world(both())
    world.loop.held = asyncio.Event()
    held = await dial(world)
    world.loop.held = None
    for _ in range(4):
        assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
    assert [held, *world.loop.dialled] in ([ONE, ONE, TWO], [TWO, TWO, ONE]), "an attempt counts like a request"


async def dial(world: World) -> str:
    """Whom a new client's request leads to."""
    world.client().feed(request())
    await world.settle()
    return world.loop.dialled[-1]


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
    (endpoint,) = world.state().pool._endpoints
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


async def test_a_change_while_names_resolve_fails_no_request(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(gateway_addresses=("one:1",)))
    names = world.edge.resolver = Names()
    names.set("one", "127.0.0.1")
    names.set("two", "127.0.0.2")
    names.gate.clear()
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


async def test_pods_are_dialled_without_a_name(make_world: MakeWorld) -> None:
    world = make_world(pods(ONE, TWO))
    names = world.edge.resolver = Names()
    client = world.client()
    for _ in range(2):
        assert (await ask(world, client)).startswith(b"HTTP/1.1 200 ")
    assert sorted(world.loop.dialled) == [ONE, TWO]
    assert sorted(line["gateway"] for line in world.logged) == [ONE, TWO]
    assert not names.asked


async def test_no_pod_that_is_ready_is_503_until_there_is_one(make_world: MakeWorld) -> None:
    world = make_world(pods())
    client = world.client()
    data = await ask(world, client)
    assert data.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in data
    assert world.report.tenants["tenant1"].gateway_errors == {"no_endpoints": 1}
    assert [(line["error"], line["gateway"]) for line in world.logged] == [("no_endpoints", None)]
    world.apply(pods(ONE))
    assert (await ask(world, client)).startswith(b"HTTP/1.1 200 ")
    world.check_at_rest()


async def test_other_pods_disturb_no_exchange(make_world: MakeWorld) -> None:
    world = make_world(pods(ONE, TWO))
    clients = [world.client() for _ in range(4)]
    for client in clients:
        client.feed(request())
        await world.settle()
    assert sorted(world.loop.dialled) == [ONE, ONE, TWO, TWO]
    for client, gateway in list(zip(clients, world.loop.connections, strict=True))[:2]:
        gateway.feed(answer(b"first"))
        assert client.take().endswith(b"first")
    by_address = dict(zip(world.loop.dialled[:2], world.loop.connections[:2], strict=True))
    world.apply(pods(TWO, THREE))
    assert by_address[ONE].is_closing(), "idle at a pod that is gone"
    assert by_address[TWO].open, "idle at a pod that stays"
    for client, gateway in list(zip(clients, world.loop.connections, strict=True))[2:]:
        assert gateway.open
        gateway.feed(answer(b"second"))
        assert client.take().endswith(b"second")
    kept = {
        address: gateway.open
        for address, gateway in zip(world.loop.dialled[2:], world.loop.connections[2:], strict=True)
    }
    assert kept == {ONE: False, TWO: True}
    for gateway in world.loop.connections:
        if gateway.is_closing():
            gateway.lose()
    world.check_at_rest()


async def test_a_pod_that_drains_ends_what_it_has(make_world: MakeWorld) -> None:
    world = make_world(pods(ONE, TWO))
    clients = {await dial_with(world, client): client for client in (world.client(), world.client())}
    gateways = dict(zip(world.loop.dialled, world.loop.connections, strict=True))
    world.apply(pods(TWO, draining=(ONE,)))
    gateways[ONE].feed(answer(b"whole", b"Connection: keep-alive"))
    assert clients[ONE].take().endswith(b"whole")
    assert gateways[ONE].is_closing()
    gateways[TWO].feed(answer())
    for _ in range(6):
        await ask(world)
    assert world.loop.dialled == list(gateways), "one connection to the other serves them"


async def dial_with(world: World, client: FakeTransport) -> str:
    client.feed(request())
    await world.settle()
    return world.loop.dialled[-1]


@pytest.mark.parametrize("before", [pods(ONE), pods(TWO), pods()])
async def test_pods_that_all_drain_serve_to_the_end(make_world: MakeWorld, before: Tenant) -> None:
    world = make_world(before)
    await ask(world)
    world.apply(pods(draining=(ONE,)))
    world.loop.dialled.clear()
    for _ in range(2):
        assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
        assert world.gateway.is_closing(), "each may be the last"
    assert world.loop.dialled == [ONE] * 2


async def test_pods_of_our_zone_first(make_world: MakeWorld) -> None:
    near, far = GatewayEndpoint(address=ONE, zone="a"), GatewayEndpoint(address=TWO, zone="b")
    world = make_world(make_tenant(gateway_endpoints=(near, far)), zone="a", ejection_failures=1)
    assert [await dial(world) for _ in range(4)] == [ONE] * 4
    world.loop.refusals = [ConnectionRefusedError()]
    assert await dial(world) == TWO, "the next address, in whatever zone"


async def test_a_pod_that_comes_while_we_dial_is_tried(make_world: MakeWorld) -> None:
    world = make_world(pods(ONE))
    world.loop.held, world.loop.refusals = asyncio.Event(), [ConnectionRefusedError()]
    client = world.client()
    client.feed(request())
    await world.settle()
    world.apply(pods(ONE, TWO))
    world.loop.held.set()
    await world.settle()
    assert world.loop.dialled == [ONE, TWO]
    world.gateway.feed(answer())
    assert client.take().startswith(b"HTTP/1.1 200 ")


async def test_from_the_service_to_its_pods_and_back(make_world: MakeWorld) -> None:
    by_name = make_tenant(gateway_addresses=("gateway.tenant1.svc:80",))
    world = make_world(by_name)
    names = world.edge.resolver = Names()
    names.set("gateway.tenant1.svc", "127.0.0.9")
    client = world.client()
    await ask(world, client)
    by_pods = make_tenant(gateway_addresses=by_name.gateway_addresses, gateway_endpoints=pods(ONE).gateway_endpoints)
    for tenant in (by_pods, by_name):
        before = world.gateway
        client.feed(request())
        world.apply(tenant)
        assert before.open
        before.feed(answer(b"as it began"))
        assert client.take().endswith(b"as it began")
        assert before.is_closing()
        assert (await ask(world, client)).startswith(b"HTTP/1.1 200 ")
    assert world.loop.dialled == ["127.0.0.9:80", ONE, "127.0.0.9:80"]


async def test_who_leaves_while_a_dial_waits_for_the_name_is_not_dialled(make_world: MakeWorld) -> None:
    """By then the address may be another tenant's."""
    world = make_world(make_tenant(gateway_addresses=("gateway.test:80",)))
    names = world.edge.resolver = Names()
    names.set("gateway.test", "127.0.0.1", ttl=0.0)
    (await world.warm()).lose()
    names.set("gateway.test", "127.0.0.2", ttl=0.0)
    assert (await ask(world)).startswith(b"HTTP/1.1 200 ")
    assert world.loop.dialled == ["127.0.0.1:80", "127.0.0.2:80"]


async def test_a_name_that_changes_disturbs_no_exchange(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(gateway_addresses=("gateway.test:80",)))
    names = world.edge.resolver = Names()
    names.set("gateway.test", "127.0.0.1", "127.0.0.2", ttl=0.0)
    idle, client = await world.warm(), world.client()
    client.feed(request())
    await world.settle()
    busy = world.gateway
    staying = dict(zip(world.loop.connections, world.loop.dialled, strict=True))[busy].rpartition(":")[0]
    names.set("gateway.test", staying, "127.0.0.3", ttl=0.0)
    world.turn(1.0)
    await world.settle()
    assert busy.open
    assert idle.open == (idle is busy)
    busy.feed(answer(b"whole"))
    assert client.take().endswith(b"whole")
    assert busy.open, "kept: its address is still one of the name's"


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


async def test_thousands_of_tenants_that_trust_the_same_cost_one_context(make_world: MakeWorld) -> None:
    gateway_context.cache_clear()
    tenants = [make_tenant(f"tenant{number}", gateway_protocol="https") for number in range(1, 50)]
    world = make_world(*tenants)
    assert gateway_context.cache_info().currsize == 0
    world.loop.refusals = [ConnectionRefusedError(), ConnectionRefusedError()]
    await ask(world)
    assert gateway_context.cache_info().misses == 1


async def test_a_ca_that_openssl_refuses_is_a_fault_of_that_gateway(make_world: MakeWorld) -> None:
    poison = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    world = make_world(make_tenant(gateway_protocol="https", gateway_ca_pem=poison), make_tenant("tenant2"))
    data = await ask(world)
    assert data.startswith(b"HTTP/1.1 503 ")
    assert world.report.tenants["tenant1"].gateway_errors["connect"] == 1
    assert world.loop.dialled == []
    world.check_at_rest()


async def test_no_gateway_yet_is_no_outage(make_world: MakeWorld) -> None:
    """Whatever keeps it from being reached; the word changes with the tenant, without another address."""
    named = make_tenant(gateway_addresses=("gateway.tenant1:80",), provisioning="pending")
    world = make_world(named)
    world.edge.resolver = Names()
    client = world.client()
    for failure, tenant in (
        (None, named),
        (ConnectionRefusedError(), make_tenant(gateway_addresses=(ONE,), provisioning="pending")),
        (TimeoutError(), make_tenant(gateway_addresses=(ONE,), provisioning="pending")),
        (None, msgspec.structs.replace(pods(), provisioning="pending")),
    ):
        world.apply(tenant)
        world.loop.refusals = [failure]
        data = await ask(world, client)
        assert data.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in data
        assert b"is being provisioned" in data
    errors = world.report.tenants["tenant1"].gateway_errors
    assert errors == {"provisioning": 4, "connect": 1, "connect_timeout": 1}
    assert [line["error"] for line in world.logged] == ["provisioning"] * 4

    world.apply(msgspec.structs.replace(pods(), provisioning="failed"))
    data = await ask(world, client)
    assert b"\r\nRetry-After: 30\r\n" in data
    assert b"could not be provisioned so far" in data
    world.apply(pods())
    data = await ask(world, client)
    assert b"\r\nRetry-After: 1\r\n" in data
    assert world.logged[-1]["error"] == "no_endpoints"
    world.check_at_rest()


async def test_a_gateway_that_answers_already_is_asked(make_world: MakeWorld) -> None:
    """The status may be late."""
    world = make_world(make_tenant(gateway_addresses=(ONE,), provisioning="pending"))
    client = world.client()
    for _ in range(2):
        assert (await ask(world, client)).startswith(b"HTTP/1.1 200 ")
    assert world.loop.dialled == [ONE]
    world.apply(make_tenant(gateway_addresses=(ONE,)))
    assert (await ask(world, client)).startswith(b"HTTP/1.1 200 ")
    assert world.loop.dialled == [ONE], "the connection stays"
    world.check_at_rest()
