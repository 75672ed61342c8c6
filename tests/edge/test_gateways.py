"""Gateways of several pods and by name, over real sockets: traffic runs while they change, and no request notices."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import cast

import pytest

from entryproxy import tasks
from entryproxy.edge import resolver
from entryproxy.edge.budgets import BudgetTable
from entryproxy.edge.resolver import Resolver
from entryproxy.edge.server import EdgeServer
from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import GatewayEndpoint, Platform, Tenant
from entryproxy.settings import EdgeLimits, ServeSettings
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport
from tests.edge.dns import DnsServer
from tests.edge.network import SYSTEM_DOMAIN, LogLines, answer, make_tenant, put_in_force, request
from tests.edge.test_server import listen

_LIMITS = EdgeLimits(resolve_ttl_seconds_min=0.05, resolve_retry_seconds=0.1, resolve_seconds=0.3)


class Pod:
    """A gateway that answers with its own address; `/slow` when its gate opens, one half before and one after."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.address = f"{host}:{port}"
        self.connections = 0
        self.gate = asyncio.Event()
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = f"{self.host}:{self.port}"

    async def stop(self) -> None:
        """At once, with a reset on every connection."""
        self._server.close()
        self.gate.set()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._writers.values())
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = cast(asyncio.Task[None], asyncio.current_task())
        self.connections += 1
        whole = answer(self.address.encode())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"/slow " in head:
                    writer.write(whole[:-4])
                    await self.gate.wait()
                    writer.write(whole[-4:])
                else:
                    writer.write(whole)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections -= 1
            writer.close()


class Client:
    """One connection to the entry."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._head = b""

    async def get(self, target: bytes = b"/") -> str:
        """Who answered, or the status when it was not a gateway."""
        await self.begin(target)
        return await self.end()

    async def begin(self, target: bytes) -> None:
        self._writer.write(request(b"GET", target))
        self._head = await self._reader.readuntil(b"\r\n\r\n")

    async def end(self) -> str:
        (length,) = (int(line[15:]) for line in self._head.split(b"\r\n") if line.startswith(b"Content-Length:"))
        body = await self._reader.readexactly(length)
        return body.decode() if self._head.startswith(b"HTTP/1.1 200 ") else self._head[9:12].decode()

    async def end_after(self, pod: Pod) -> str:
        pod.gate.set()
        return await self.end()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Entry:
    """An edge server with one tenant, and traffic to it."""

    def __init__(self, budgets: BudgetTable) -> None:
        self.report, self.log = WorkerReport(), LogLines()
        self.server = EdgeServer(
            ServeSettings(source=".", zone="here"), _LIMITS, self.report, cast(AccessLog, self.log), budgets, bytes(32)
        )
        self.generation = 0
        self.answers: Counter[str] = Counter()
        self._stopping = self._drained = False
        self._traffic: list[asyncio.Task[None]] = []
        self._clients: list[Client] = []

    def apply(self, tenant: Tenant) -> None:
        self.generation += 1
        platform = Platform(system_domain=SYSTEM_DOMAIN)
        put_in_force(self.server, Change(generation=self.generation, platform=platform, tenants=(tenant,)))

    async def start(self) -> None:
        http = listen()
        await self.server.start(listen(), http)
        self._port = http.getsockname()[1]

    async def client(self) -> Client:
        self._clients.append(Client(*await asyncio.open_connection("127.0.0.1", self._port)))
        return self._clients[-1]

    async def begin_traffic(self, connections: int = 4) -> None:
        for _ in range(connections):
            self._traffic.append(tasks.spawn(self._ask_on(await self.client()), "traffic"))

    async def _ask_on(self, client: Client) -> None:
        while not self._stopping:
            self.answers[await client.get()] += 1

    async def some(self, number: int = 100) -> Counter[str]:
        """The next so many answers, by who gave them."""
        before = Counter(self.answers)
        while self.answers.total() - before.total() < number:
            await asyncio.sleep(0.01)
            assert not any(task.done() for task in self._traffic)
        return self.answers - before

    async def until(self, *wanted: Pod) -> None:
        """Until all of `wanted` answer, and nobody else does."""
        async with asyncio.timeout(30):
            while (await self.some()).keys() != {pod.address for pod in wanted}:
                pass

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._traffic)
        for client in self._clients:
            await client.close()
        await self.drain(5)
        await tasks.cancel_all()

    async def drain(self, timeout_seconds: float) -> None:
        if not self._drained:
            self._drained = True
            await self.server.drain(0, timeout_seconds)


@pytest.fixture
async def pods() -> AsyncIterator[list[Pod]]:
    """Four pods at one port."""
    made = [Pod("127.0.0.1", 0)]
    await made[0].start()
    for number in (2, 3, 4):
        made.append(Pod(f"127.0.0.{number}", made[0].port))
        await made[-1].start()
    yield made
    for pod in made:
        await pod.stop()


@pytest.fixture
async def entry(budgets: BudgetTable, pods: list[Pod]) -> AsyncIterator[Entry]:
    entry = Entry(budgets)
    entry.apply(served_by(pods[0]))
    await entry.start()
    yield entry
    for pod in pods:
        pod.gate.set()
    await entry.stop()


def served_by(*there: Pod, draining: tuple[Pod, ...] = (), here: tuple[Pod, ...] = ()) -> Tenant:
    endpoints = [GatewayEndpoint(address=pod.address, zone="here" if pod in here else "there") for pod in there]
    endpoints += [GatewayEndpoint(address=pod.address, draining=True) for pod in draining]
    return make_tenant(gateway_addresses=(), gateway_endpoints=tuple(endpoints))


def named(address: str) -> Tenant:
    return make_tenant(gateway_addresses=(address,))


async def no_connection_to(pod: Pod) -> None:
    async with asyncio.timeout(30):
        while pod.connections:
            await asyncio.sleep(0.01)


async def test_a_rollout_fails_no_request(entry: Entry, pods: list[Pod]) -> None:
    """Every pod is replaced, as a Deployment does it: one comes, one drains, one goes."""
    one, two, three, four = pods
    entry.apply(served_by(one, two))
    await entry.begin_traffic()
    await entry.until(one, two)
    entry.apply(served_by(one, two, three))
    await entry.some()
    entry.apply(served_by(two, three, draining=(one,)))
    await entry.until(two, three)
    await no_connection_to(one)
    entry.apply(served_by(two, three))
    entry.apply(served_by(two, three, four))
    entry.apply(served_by(three, four, draining=(two,)))
    entry.apply(served_by(three, four))
    await entry.until(three, four)
    await no_connection_to(two)
    assert entry.answers.keys() <= {pod.address for pod in pods}, "no answer of our own"
    entry.server.settle_accounts()
    assert not entry.report.tenants["tenant1"].gateway_errors
    assert {line["gateway"] for line in entry.log.lines} == entry.answers.keys()


async def test_what_is_under_way_ends_where_it_began(entry: Entry, pods: list[Pod]) -> None:
    one, two, three, _ = pods
    for change in (served_by(two, draining=(one,)), served_by(two), served_by(), named(two.address)):
        entry.apply(served_by(one))
        one.gate.clear()
        client = await entry.client()
        await client.begin(b"/slow")
        entry.apply(change)
        entry.apply(served_by(three))
        assert await client.end_after(one) == one.address
        assert await client.get() == three.address
        await no_connection_to(one)


async def test_newcomers_start_slowly(entry: Entry, pods: list[Pod]) -> None:
    one, two, three, _ = pods
    entry.apply(served_by(one, two))
    await entry.begin_traffic(1)
    await entry.some()
    entry.apply(served_by(one, two, three))
    counted = await entry.some(300)
    assert 0 < counted[three.address] < counted[one.address] / 2


async def test_our_zone_while_it_lives(entry: Entry, pods: list[Pod]) -> None:
    one, two, _, _ = pods
    entry.apply(served_by(one, two, here=(one,)))
    await entry.begin_traffic()
    await entry.until(one)
    entry.apply(served_by(two, draining=(one,)))
    await entry.until(two)
    entry.apply(served_by())
    async with asyncio.timeout(30):
        while (await entry.some()).keys() != {"503"}:
            pass
    entry.apply(served_by(one, two, here=(one,)))
    await entry.until(one)


async def test_a_pod_that_dies_costs_others_nothing(entry: Entry, pods: list[Pod]) -> None:
    _, two, three, _ = pods
    entry.apply(served_by(two, three))
    client = await entry.client()
    assert {await client.get() for _ in range(4)} == {two.address, three.address}
    await two.stop()
    assert [await client.get() for _ in range(20)] == [three.address] * 20


async def test_a_name_is_looked_up_again_when_its_time_is_over(entry: Entry, pods: list[Pod], dns: DnsServer) -> None:
    one, two, three, _ = pods
    follow(entry, dns)
    dns.set("gateway.test", one.host, ttl=0)
    entry.apply(named(f"gateway.test:{one.port}"))
    await entry.begin_traffic()
    await entry.until(one)
    one.gate.clear()
    client = await entry.client()
    await client.begin(b"/slow")
    dns.set("gateway.test", two.host, three.host, ttl=0)
    await entry.until(two, three)
    assert await client.end_after(one) == one.address
    await no_connection_to(one)
    assert entry.answers.keys() == {pod.address for pod in (one, two, three)}, "no answer of our own"


async def test_addresses_outlive_the_dns(
    entry: Entry, pods: list[Pod], dns: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "_CHANNEL_SECONDS", 0.0)  # or c-ares would remember an empty answer
    one, two, _, _ = pods
    follow(entry, dns)
    dns.set("gateway.test", one.host, ttl=0)
    entry.apply(named(f"gateway.test:{one.port}"))
    await entry.begin_traffic()
    await entry.until(one)
    for break_dns in (dns.refuse, dns.be_empty, dns.be_silent):
        break_dns("gateway.test")
        await dns.question("gateway.test", dns.count("gateway.test") + 3)
        assert (await entry.some()).keys() == {one.address}
        assert await (await entry.client()).get() == one.address
    dns.set("gateway.test", two.host, ttl=0)
    await entry.until(two)
    assert entry.answers.keys() == {one.address, two.address}


async def test_a_name_without_answer_is_503_in_time(entry: Entry, dns: DnsServer) -> None:
    follow(entry, dns)
    dns.be_silent("gateway.test")
    entry.apply(named("gateway.test:80"))
    client = await entry.client()
    assert [await client.get() for _ in range(2)] == ["503", "503"]
    entry.server.settle_accounts()
    assert entry.report.tenants["tenant1"].gateway_errors == {"gateway_unreachable": 2}


async def test_a_drain_gives_up_what_is_looked_up(entry: Entry, dns: DnsServer) -> None:
    follow(entry, dns)
    dns.be_silent("gateway.test")
    entry.apply(named("gateway.test:80"))
    asking = tasks.spawn((await entry.client()).get(), "client")
    await dns.question("gateway.test", 1)
    await entry.drain(0)
    assert entry.server._context.resolver._channel is None
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asking


async def test_localhost(entry: Entry, pods: list[Pod]) -> None:
    """Of /etc/hosts, by whatever family the gateway listens on."""
    entry.apply(named(f"localhost:{pods[0].port}"))
    client = await entry.client()
    assert {await client.get() for _ in range(10)} == {pods[0].address}


def follow(entry: Entry, dns: DnsServer) -> None:
    """Have the entry ask `dns`."""
    loop = asyncio.get_running_loop()
    entry.server._context.resolver = Resolver(loop, _LIMITS, nameservers=[dns.address])
