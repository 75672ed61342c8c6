"""The edge of one worker as the process around it sees it: apply changes, accept, drain."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from entryproxy.edge.context import EdgeContext
from entryproxy.edge.tls import TlsTransport
from entryproxy.edge.transport import ClientTransport

if TYPE_CHECKING:
    from entryproxy.edge.budgets import BudgetTable
    from entryproxy.model.snapshot import Change, Snapshot
    from entryproxy.settings import EdgeLimits, ServeSettings
    from entryproxy.telemetry.access_log import AccessLog
    from entryproxy.telemetry.counters import WorkerReport

BACKLOG = 4_096
_POLL_SECONDS = 0.05


class EdgeServer:
    """Accepts on the worker's sockets once there is a configuration. Make it inside the running loop."""

    def __init__(
        self,
        settings: ServeSettings,
        limits: EdgeLimits,
        report: WorkerReport,
        access_log: AccessLog,
        budgets: BudgetTable,
        ticket_secret: bytes,
    ) -> None:
        self._context = EdgeContext(settings, limits, report, access_log, budgets, ticket_secret)
        self._servers: list[asyncio.Server] = []
        self._configured = False

    @property
    def snapshot(self) -> Snapshot | None:
        """The configuration in force, None before the first."""
        return self._context.snapshot if self._configured else None

    def apply(self, change: Change) -> None:
        """Put a change in force for everything that begins from now on."""
        self._context.apply(change)
        self._configured = True

    async def start(self, https: socket.socket, http: socket.socket) -> None:
        """Accept on two listening sockets, which this object closes when it drains."""
        context = self._context
        loop = context.loop
        context.https_port, context.http_port = https.getsockname()[1], http.getsockname()[1]
        self._servers = [
            await loop.create_server(lambda: TlsTransport(context), sock=https, backlog=BACKLOG),
            await loop.create_server(lambda: ClientTransport(context), sock=http, backlog=BACKLOG),
        ]

    def begin_drain(self) -> None:
        """From now on every answer ends its connection."""
        self._context.draining = True

    async def drain(self, delay_seconds: float, timeout_seconds: float) -> None:
        """Leave politely: go on accepting for the delay, while load balancers take notice; then stop, let what is under way
        end within the timeout, tell WebSockets to go, and drop what is left.
        """
        self.begin_drain()
        loop = self._context.loop
        await asyncio.sleep(delay_seconds)
        for server in self._servers:
            server.close()
        for link in list(self._context.links):
            link.drain()
        deadline = loop.time() + timeout_seconds
        while self._context.links and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        for link in list(self._context.links):
            link.abort()
        while self._context.links and loop.time() < deadline + 1.0:
            await asyncio.sleep(_POLL_SECONDS)
        for state in self._context.tenants.values():
            state.pool.retire()
        self._context.wheel.stop()
