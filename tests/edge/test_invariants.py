"""Whatever clients, gateways, time and the operator do in whatever order: what was taken is given back, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from entryproxy.edge.budgets import BudgetTable
from entryproxy.model.tenant import GatewayEndpoint, Limits, Tenant
from tests.edge.network import FakeTransport, World, answer, make_tenant, request

_ROW = 40
_REQUESTS = (
    request(),
    request() * 3,
    request(b"HEAD"),
    request(b"GET", b"/", b"Connection: close"),
    request(host=b"unknown.example"),
    request(b"POST", b"/", b"Content-Length: 5", body=b"01234"),
    request(b"POST", b"/", b"Content-Length: 5", body=b"01"),
    request(b"POST", b"/", b"Content-Length: 5", b"Expect: 100-continue"),
    request(b"POST", b"/", b"Content-Length: 200000"),
    request(b"POST", b"/", b"Transfer-Encoding: chunked"),
    request(b"POST", b"/", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
    request(b"GET", b"/", b"Connection: upgrade", b"Upgrade: other"),
    b"GET / HTTP/1.0\r\nHost: tenant1.aigw.example.com\r\n\r\n",
    b"GET / HT",
    b"0\r\n\r\n",
    b"345",
    bytes(30_000),
)
_ANSWERS = (
    answer(b"hello"),
    answer(b"hello")[:-2],
    answer(b"hello", status=b"413 Content Too Large"),
    answer(b"x", b"Connection: close"),
    answer(b"hello") + b"more",
    answer(bytes(100_000))[:-1],
    bytes(30_000),
    b"lo",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"garbage\r\n\r\n",
)
_DEEDS = ("finish", "lose", "reset", "stall", "read")
Event = tuple[str, int, bytes | str]

_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("client"), st.integers(0, 2), st.sampled_from(_REQUESTS)),
        st.tuples(st.just("client"), st.integers(0, 2), st.sampled_from(_REQUESTS + _DEEDS)),
        st.tuples(st.just("gateway"), st.integers(0, 3), st.sampled_from(_ANSWERS + _DEEDS)),
        st.tuples(st.just("dials"), st.just(0), st.just("")),
        st.tuples(st.just("refuse"), st.just(0), st.just("")),
        st.tuples(st.just("time"), st.integers(0, 400), st.just("")),
        st.tuples(st.just("change"), st.integers(9_001, 9_002), st.just("")),
        st.tuples(st.just("pods"), st.integers(0, 3**3 - 1), st.just("")),
        st.tuples(st.just("drain"), st.just(0), st.just("")),
    ),
    max_size=30,
)


def act(transport: FakeTransport, deed: bytes | str) -> None:
    """One deed of a peer, if it still can be done."""
    if transport.lost:
        return
    if isinstance(deed, bytes):
        if transport.is_reading() and transport.open:
            transport.feed(deed)
    elif deed == "lose" or (deed == "reset" and transport.is_closing()):
        transport.lose()
    elif deed == "reset":
        transport.lose(ConnectionResetError())
    elif deed == "stall":
        transport.stalled = True
    elif deed == "read":
        transport.drain()
    elif transport.open:
        transport.finish()


def configured(port: int) -> Tenant:
    return make_tenant(
        gateway_addresses=(f"127.0.0.1:{port}", "127.0.0.2:1"), limits=Limits(connections=3), budget_slot=_ROW
    )


def with_pods(number: int) -> Tenant:
    """A tenant with up to three pods: each digit to the base of 3 says that one is away, there or draining."""
    states = [number // 3**digit % 3 for digit in range(3)]
    endpoints = tuple(
        GatewayEndpoint(address=f"127.0.0.{digit}:80", draining=state == 2)
        for digit, state in enumerate(states)
        if state
    )
    return msgspec.structs.replace(configured(9_001), gateway_endpoints=endpoints)


class Play:
    """A world, three clients in it and the gateways that were dialled."""

    def __init__(self, budgets: BudgetTable) -> None:
        self.world = World(budgets, configured(9_001), pipelined_bytes_max=20_000, gateway_idle_connections_max=1)
        self.clients = [self.world.client() for _ in range(3)]
        self.passed = 0.0
        self.others: dict[str, Callable[[int], None]] = {
            "refuse": lambda _: self.world.loop.refusals.append(ConnectionRefusedError()),
            "time": self.time,
            "change": lambda port: self.world.apply(configured(port)),
            "pods": lambda number: self.world.apply(with_pods(number)),
            "drain": self.drain,
        }

    async def happen(self, kind: str, number: int, deed: bytes | str) -> None:
        gateways = self.world.loop.connections
        if kind == "client":
            if self.clients[number].lost:
                self.clients[number] = self.world.client()
            act(self.clients[number], deed)
        elif kind == "gateway":
            if gateways:
                act(gateways[-1 - number % len(gateways)], deed)
        elif kind == "dials":
            await self.world.settle()
        else:
            self.others[kind](number)

    def time(self, seconds: int) -> None:
        self.passed += seconds
        self.world.turn(self.passed)

    def drain(self, _: int) -> None:
        self.world.edge.draining = True
        for link in list(self.world.edge.links):
            link.drain()

    async def end(self) -> None:
        await self.world.settle()
        for client in self.clients:
            if not client.lost:
                client.lose()
        await self.world.settle()
        for gateway in self.world.loop.connections:
            if not gateway.lost:
                gateway.lose()


async def play(budgets: BudgetTable, events: list[Event]) -> None:
    scene = Play(budgets)
    world = scene.world
    try:
        for event in events:
            await scene.happen(*event)
            assert budgets.concurrent(_ROW) == world.state().report.in_flight >= 0
        await scene.end()
        world.check_at_rest()
        assert budgets.concurrent(_ROW) == 0
        assert not world.edge.links
        assert not any(world.edge.wheel._buckets.values()), "nothing that is over has a deadline"
    finally:
        world.edge.wheel.stop()


@settings(max_examples=300)
@given(events=_EVENTS)
def test_whatever_happens(budgets: BudgetTable, events: list[Event]) -> None:
    asyncio.run(play(budgets, events))
