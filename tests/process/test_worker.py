from __future__ import annotations

import asyncio
import contextlib
import gc
import mmap
import os
import socket
from collections.abc import Iterable, Iterator

import pytest

from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.process import link, messages
from entryproxy.process.channel import Channel
from entryproxy.process.sockets import WorkerSockets
from entryproxy.process.worker import Worker, WorkerContext
from entryproxy.routing.table import RoutingTable
from entryproxy.settings import ServeSettings
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport


@pytest.fixture(autouse=True)
def keep_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen heap would hide what later tests leave behind."""
    monkeypatch.setattr(gc, "freeze", lambda: None)


class Server:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.table: RoutingTable | None = None
        self.is_applying = False
        self.calls: list[str] = []
        self.start_problem: Exception | None = None
        self.may_start = asyncio.Event()
        self.may_start.set()

    def make(self, context: WorkerContext, report: WorkerReport, access_log: AccessLog) -> Server:
        report.handshake("ok")
        report.tenant("idle")
        report.tenant("busy").in_flight = 1
        return self

    def applying(self, change: Change, tenants: Iterable[Tenant]) -> Iterator[None]:
        coming = []
        for one in tenants:
            coming.append(one)
            self.is_applying = True
            yield
        self.is_applying = False
        if change.generation == 13:
            raise ValueError("unlucky")
        self.table = self.table or RoutingTable()
        self.table.follow(change, coming)
        self.calls.append(f"apply {change.generation}")

    async def start(self, https: socket.socket, http: socket.socket) -> None:
        await self.may_start.wait()
        if self.start_problem is not None:
            raise self.start_problem
        self.calls.append("start")

    def settle_accounts(self) -> None:
        pass

    async def drain(self, delay_seconds: float, timeout_seconds: float) -> None:
        self.calls.append(f"drain {delay_seconds:g} {timeout_seconds:g}")


class Running:
    """A worker inside the test's loop; the test is its supervisor and its control process."""

    def __init__(self) -> None:
        self.server = Server()
        self.heard: asyncio.Queue[messages.ToControl] = asyncio.Queue()
        self.supervisor, own = link.open_pair()
        self._channels: list[Channel[messages.ToControl]] = []
        self._lock_fd = os.memfd_create("lock")
        self._sockets = [socket.socket(), socket.socket(), own, self.supervisor]
        context = WorkerContext(
            slot=3,
            settings=ServeSettings(source="", drain_delay_seconds=60, drain_timeout_seconds=7),
            sockets=WorkerSockets(*self._sockets[:2]),
            link=own,
            budgets=mmap.mmap(-1, 1),
            ticket_secret=b"secret",
            log_lock_fd=self._lock_fd,
        )
        assert "secret" not in repr(context).replace("ticket_secret", "")
        self.serving = asyncio.ensure_future(Worker(context).serve(self.server.make))

    async def connect(self) -> Channel[messages.ToControl]:
        """A fresh channel, as after a restart of the control process."""
        ours, theirs = socket.socketpair()
        with theirs:
            assert link.send_channel(self.supervisor, 3, theirs)
        channel = await Channel.open(
            ours, messages.control_decoder, lambda _, message: self.heard.put_nowait(message), lambda _: None
        )
        self._channels.append(channel)
        return channel

    async def hear(self) -> messages.ToControl:
        async with asyncio.timeout(5):
            return await self.heard.get()

    async def end(self) -> None:
        self.supervisor.close()
        async with asyncio.timeout(5):
            await self.serving
            for channel in self._channels:
                await channel.close()

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        os.close(self._lock_fd)


@contextlib.contextmanager
def running() -> Iterator[Running]:
    one = Running()
    try:
        yield one
    finally:
        one.close()


def publish(channel: Channel[messages.ToControl], generation: int) -> None:
    change = Change(generation=generation, platform=Platform(system_domain="a.example"))
    channel.send(messages.encode(messages.Publish(change)))


async def test_a_new_control_process_hears_what_came_of_the_old_ones_change() -> None:
    with running() as one:
        first = await one.connect()
        await one.hear()
        publish(first, 1)
        assert await one.hear() == messages.Applied(1)
        many = tuple(Tenant(id=f"t{number}", gateway_addresses=("10.0.0.1:80",)) for number in range(5_000))
        first.send(messages.encode(messages.Publish(Change(generation=2, tenants=many))))
        while not one.server.is_applying:
            await asyncio.sleep(0)
        await one.connect()
        hello = await one.hear()
        assert isinstance(hello, messages.Hello)
        assert hello.generation == 2
        await one.end()


async def test_a_worker_tells_what_it_serves_with() -> None:
    request = messages.encode(messages.SnapshotRequest())
    with running() as one:
        first = await one.connect()
        await one.hear()
        first.send(request)  # nothing yet: no answer
        publish(first, 4)
        assert await one.hear() == messages.Applied(4)
        second = await one.connect()
        assert await one.hear() == messages.Hello(3, os.getpid(), 4)
        second.send(request)
        change = Change(generation=4, whole=True, platform=Platform(system_domain="a.example"))
        assert await one.hear() == messages.Running(change)
        await one.end()


async def test_the_first_change_is_acknowledged_when_connections_are_accepted() -> None:
    with running() as one:
        one.server.may_start.clear()
        channel = await one.connect()
        assert await one.hear() == messages.Hello(3, os.getpid(), 0)
        publish(channel, 1)
        await asyncio.sleep(0.05)
        assert one.heard.empty()
        one.server.may_start.set()
        assert await one.hear() == messages.Applied(1)
        publish(channel, 2)
        assert await one.hear() == messages.Applied(2)
        assert one.server.calls == ["apply 1", "start", "apply 2"]
        await one.end()


async def test_a_new_control_process_learns_what_is_in_force() -> None:
    with running() as one:
        first = await one.connect()
        await one.hear()
        publish(first, 5)
        await one.hear()
        await first.close()
        second = await one.connect()
        assert await one.hear() == messages.Hello(3, os.getpid(), 5)
        publish(second, 6)
        assert await one.hear() == messages.Applied(6)
        assert one.server.calls.count("start") == 1
        await one.end()


async def test_counters_are_reported() -> None:
    with running() as one:
        channel = await one.connect()
        await one.hear()
        channel.send(messages.encode(messages.ReportRequest(9)))
        report = await one.hear()
        assert isinstance(report, messages.Report)
        assert (report.id, report.report.handshakes) == (9, {"ok": 1})
        assert set(report.report.tenants) == {"busy"}
        await one.end()


async def test_a_change_that_fails_is_refused() -> None:
    with running() as one:
        channel = await one.connect()
        await one.hear()
        publish(channel, 13)
        assert await one.hear() == messages.Refused(13, "ValueError: unlucky")
        publish(channel, 14)
        assert await one.hear() == messages.Applied(14)
        await one.end()


async def test_without_a_supervisor_it_drains_without_delay() -> None:
    with running() as one:
        channel = await one.connect()
        await one.hear()
        publish(channel, 1)
        await one.hear()
        await one.end()
        assert one.server.calls[-1] == "drain 0 7"


async def test_a_worker_that_never_accepted_has_nothing_to_drain() -> None:
    with running() as one:
        await one.connect()
        await one.hear()
        await one.end()
        assert one.server.calls == []


async def test_a_server_that_can_not_start_ends_the_process() -> None:
    with running() as one:
        one.server.start_problem = OSError("no more files")
        channel = await one.connect()
        await one.hear()
        publish(channel, 1)
        with pytest.raises(OSError, match="no more files"):
            async with asyncio.timeout(5):
                await one.serving
        await channel.close()
