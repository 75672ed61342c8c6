"""The edge of one worker as the process around it sees it: apply changes, accept, drain."""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import TYPE_CHECKING

from entryproxy.edge.context import EdgeContext
from entryproxy.edge.tls import TlsTransport
from entryproxy.edge.transport import ClientTransport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from entryproxy.edge.budgets import BudgetTable
    from entryproxy.model.snapshot import Change
    from entryproxy.model.tenant import Tenant
    from entryproxy.routing.table import RoutingTable
    from entryproxy.settings import EdgeLimits, ServeSettings
    from entryproxy.telemetry.access_log import AccessLog
    from entryproxy.telemetry.counters import WorkerReport

BACKLOG = 4_096
_ABORT_SECONDS = 1.0  # for the transports to report their end


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
        self._listeners: list[tuple[functools.partial[ClientTransport], socket.socket]] = []
        self._configured = False

    @property
    def table(self) -> RoutingTable | None:
        """The configuration in force, None before the first."""
        return self._context.table if self._configured else None

    def applying(self, change: Change, tenants: Iterable[Tenant]) -> Iterator[None]:
        """Put a change with these tenants in force for everything that begins after the last step."""
        yield from self._context.applying(change, tenants)
        self._configured = True

    async def start(self, https: socket.socket, http: socket.socket) -> None:
        """Accept on two listening sockets, which this object closes when it drains."""
        context = self._context
        loop = context.loop
        context.https_port, context.http_port = https.getsockname()[1], http.getsockname()[1]
        for sock, transport in ((https, TlsTransport), (http, ClientTransport)):
            make = functools.partial(transport, context)
            self._listeners.append((make, sock.dup()))
            self._servers.append(await loop.create_server(make, sock=sock, backlog=BACKLOG))

    async def _stop_accepting(self) -> None:
        """Close the listeners, after taking what the kernel has queued: closing would reset it."""
        for server in self._servers:
            server.close()
        for make, listener in self._listeners:
            with listener:
                listener.setblocking(False)
                while (accepted := _accept(listener)) is not None:
                    await self._context.loop.connect_accepted_socket(make, accepted)

    def settle_accounts(self) -> None:
        """Count and log every request that has ended, for whoever is about to read the report."""
        self._context.accounts.settle()

    def begin_drain(self) -> None:
        """From now on every answer ends its connection."""
        self._context.draining = True

    async def drain(self, delay_seconds: float, timeout_seconds: float) -> None:
        """Leave politely: go on accepting for the delay, while load balancers take notice; then stop, let what is
        under way end within the timeout, tell WebSockets to go, and drop what is left.
        """
        self.begin_drain()
        await asyncio.sleep(delay_seconds)
        await self._stop_accepting()
        for link in list(self._context.links):
            link.drain()
        await self._context.wait_until_empty(timeout_seconds)
        for link in list(self._context.links):
            link.abort()
        await self._context.wait_until_empty(_ABORT_SECONDS)
        for state in self._context.tenants.values():
            state.pool.retire()
        await self._context.resolver.close()
        self._context.wheel.stop()
        self.settle_accounts()


def _accept(listener: socket.socket) -> socket.socket | None:
    try:
        accepted, _ = listener.accept()
    except OSError:  # BlockingIOError: the queue is empty
        return None
    return accepted
