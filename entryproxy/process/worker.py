"""A worker: uvloop, one edge server, and the configuration that the control process sends.

It accepts connections once the first change is in force. Without a control process it serves on with what it has and
waits for a new channel on its link; without a supervisor it drains and leaves.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import mmap
import os
import resource
import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import uvloop

from entryproxy import tasks
from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import Tenant
from entryproxy.process import collector, link, messages, priority
from entryproxy.process.channel import Channel
from entryproxy.process.sockets import WorkerSockets
from entryproxy.routing.table import RoutingTable
from entryproxy.settings import ServeSettings
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport

_STDOUT = 1
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker inherits from the supervisor.

    link: the child's end. budgets: memory shared by all workers. ticket_secret: seals session tickets in every worker.
    log_lock_fd: the file that keeps the access log lines of several workers apart.
    """

    slot: int
    settings: ServeSettings
    sockets: WorkerSockets
    link: socket.socket
    budgets: mmap.mmap
    ticket_secret: bytes = dataclasses.field(repr=False)
    log_lock_fd: int


class Server(Protocol):
    """What a worker needs of `edge.server.EdgeServer`."""

    @property
    def table(self) -> RoutingTable | None: ...

    def applying(self, change: Change, tenants: Iterable[Tenant]) -> Iterator[None]: ...

    async def start(self, https: socket.socket, http: socket.socket) -> None: ...

    async def drain(self, delay_seconds: float, timeout_seconds: float) -> None: ...

    def settle_accounts(self) -> None: ...


class MakeServer(Protocol):
    """Builds the server of a worker, on the worker's loop."""

    def __call__(self, context: WorkerContext, report: WorkerReport, access_log: AccessLog) -> Server: ...


def run(context: WorkerContext, make_server: MakeServer) -> None:
    """Serve until told to leave; SIGTERM is blocked until a drain can follow it."""
    collector.pause()
    priority.ask_for_short_slices()
    _raise_open_files_limit()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches every process; the supervisor answers it
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Worker(context).serve(make_server))


class Worker:
    """The life of one worker."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._report = WorkerReport()
        self._access_log = AccessLog(_STDOUT, context.log_lock_fd)
        self._channel: Channel[messages.ToWorker] | None = None
        self._leaving = asyncio.Event()
        self._drain_delay_seconds = context.settings.drain_delay_seconds
        self._start: asyncio.Task[None] | None = None
        self._applying: asyncio.Task[None] | None = None

    async def serve(self, make_server: MakeServer) -> None:
        """From the first look at the link until the last connection is gone."""
        loop = asyncio.get_running_loop()
        self._server = make_server(self._context, self._report, self._access_log)
        self._access_log.start()
        loop.add_signal_handler(signal.SIGTERM, self._leaving.set)
        loop.add_reader(self._context.link.fileno(), self._read_link)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        try:
            await self._leaving.wait()
            if self._start is not None:
                await self._start
                await self._server.drain(self._drain_delay_seconds, self._context.settings.drain_timeout_seconds)
        finally:
            loop.remove_reader(self._context.link.fileno())
            await tasks.cancel_all()
            if self._channel is not None:
                await self._channel.close()
            self._access_log.close()

    # -- the supervisor

    def _read_link(self) -> None:
        try:
            received = link.receive_channel(self._context.link)
        except BlockingIOError:
            return
        except OSError:
            received = None
        if received is None:
            self._outlive_supervisor()
        else:
            tasks.spawn(self._use_channel(received[1]), "channel")

    def _outlive_supervisor(self) -> None:
        """Nobody else will tell us to stop; what is connected may finish, but a successor needs the ports at once."""
        asyncio.get_running_loop().remove_reader(self._context.link.fileno())
        if not self._leaving.is_set():
            _log.error("the supervisor is gone, draining")
            self._drain_delay_seconds = 0.0
            self._leaving.set()

    # -- the control process

    async def _use_channel(self, sock: socket.socket) -> None:
        if self._channel is not None:
            self._channel.abort()
        if self._applying is not None:
            await self._applying  # the new control process begins with what comes of it
        self._channel = await Channel.open(sock, messages.worker_decoder, self._receive, self._lose_channel)
        table = self._server.table
        self._send(messages.Hello(self._context.slot, os.getpid(), table.generation if table else 0))

    def _lose_channel(self, channel: Channel[messages.ToWorker]) -> None:
        if channel is self._channel:
            self._channel = None

    def _receive(self, channel: Channel[messages.ToWorker], message: messages.ToWorker) -> None:
        if isinstance(message, messages.ReportRequest):
            self._server.settle_accounts()
            self._report.log_lines_dropped = self._access_log.dropped
            self._send(messages.Report(message.id, self._report.without_idle()))
        elif isinstance(message, messages.SnapshotRequest):
            if self._server.table is not None:
                self._send(messages.Running(self._server.table.as_change()))
        else:
            self._applying = tasks.spawn(self._apply(message.change), "apply")

    async def _apply(self, change: messages.EncodedChange) -> None:
        """Step by step between requests, once there are any."""
        try:
            with collector.bulk(len(change.tenants)):
                for _ in self._server.applying(change.head, change.decode_tenants()):
                    if self._start is not None:
                        await asyncio.sleep(0)
        except Exception as error:
            # Whatever the defect is, the previous configuration is whole and traffic goes on with it.
            _log.exception("generation %d was not put in force", change.generation)
            self._send(messages.Refused(change.generation, f"{type(error).__name__}: {error}"))
            return
        if self._start is None and not self._leaving.is_set():
            self._start = tasks.spawn(self._begin(change.generation), "start")
        else:
            self._send(messages.Applied(change.generation))

    async def _begin(self, generation: int) -> None:
        try:
            await self._server.start(self._context.sockets.https, self._context.sockets.http)
        except Exception:
            self._leaving.set()  # `serve` meets the error and ends the process; a fresh one may have more luck
            raise
        collector.resume()
        self._send(messages.Applied(generation))

    def _send(self, message: Any) -> None:
        if self._channel is not None:
            self._channel.send(messages.encode(message))


def _raise_open_files_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
