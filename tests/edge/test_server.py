"""The edge on a real loop and real loopback sockets: accept, answer, change, drain."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest

from entryproxy.edge.budgets import BudgetTable
from entryproxy.edge.server import EdgeServer
from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import Platform
from entryproxy.settings import EdgeLimits, ServeSettings
from entryproxy.tasks import spawn
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport
from tests.edge.network import SYSTEM_DOMAIN, LogLines, answer, make_tenant, put_in_force, request


class Gateway:
    """Answers requests while its gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(cast(asyncio.Task[None], asyncio.current_task()))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self.gate.wait()
                writer.write(answer(b"hello"))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Running:
    def __init__(self, server: EdgeServer, gateway: Gateway, report: WorkerReport, log: LogLines, port: int) -> None:
        self.server, self.gateway, self.report, self.log, self.port = server, gateway, report, log, port
        self._drained = False

    async def drain(self, timeout_seconds: float) -> None:
        if not self._drained:
            self._drained = True
            await self.server.drain(0, timeout_seconds)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


def listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
async def running(budgets: BudgetTable) -> AsyncIterator[Running]:
    gateway, report, log = Gateway(), WorkerReport(), LogLines()
    backend = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{backend.sockets[0].getsockname()[1]}"
    server = EdgeServer(ServeSettings(source="."), EdgeLimits(), report, cast(AccessLog, log), budgets, bytes(32))
    before = server.table
    assert before is None
    platform = Platform(system_domain=SYSTEM_DOMAIN)
    tenants = (make_tenant(gateway_addresses=(address,)),)
    put_in_force(server, Change(generation=1, whole=True, platform=platform, tenants=tenants))
    http = listen()
    await server.start(listen(), http)
    running = Running(server, gateway, report, log, http.getsockname()[1])
    yield running
    await running.drain(0)
    gateway.gate.set()
    await asyncio.gather(*gateway.tasks)
    backend.close()
    await backend.wait_closed()


async def test_requests_are_answered_logged_and_counted(running: Running) -> None:
    reader, writer = await running.connect()
    for _ in range(3):
        writer.write(request())
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")
    running.server.settle_accounts()
    assert running.report.tenants["tenant1"].requests == {(200, "HTTP/1.1"): 3}
    assert [line["status"] for line in running.log.lines] == [200] * 3
    writer.close()
    await writer.wait_closed()


async def test_drain_lets_a_request_end_and_closes_the_idle(running: Running) -> None:
    idle_reader, idle_writer = await running.connect()
    idle_writer.write(request())
    await idle_reader.readuntil(b"hello")
    running.gateway.gate.clear()
    reader, writer = await running.connect()
    writer.write(request())
    while running.gateway.requests < 2:
        await asyncio.sleep(0.01)
    drain = spawn(running.drain(10), "drain")
    assert await idle_reader.read() == b""
    running.gateway.gate.set()
    data = await reader.read()
    assert data.endswith(b"hello")
    assert b"\r\nConnection: close\r\n" in data
    await drain
    with pytest.raises(OSError):
        await running.connect()
    for one in (writer, idle_writer):
        one.close()
        await one.wait_closed()
    assert running.report.client_connections == 0


async def test_drain_ends_what_takes_too_long(running: Running) -> None:
    running.gateway.gate.clear()
    reader, writer = await running.connect()
    writer.write(request())
    while not running.gateway.requests:
        await asyncio.sleep(0.01)
    await running.drain(0.1)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert running.report.client_connections == 0
    assert running.report.tenants["tenant1"].in_flight == 0
