"""The control process: source → compiler → publisher → workers, and the admin port.

It may die and come back: the workers keep serving, tell the next one what they have in force, which is the last good
version of whatever is broken by then, and get everything again.
Counters of workers that ended are lost with it; those of living workers are not.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import mmap
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterable, Sequence, Set
from typing import Protocol

import uvloop

from entryproxy import tasks
from entryproxy.compiler.compile import Compilation
from entryproxy.console.server import Console
from entryproxy.console.view import WorkerInfo
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from entryproxy.model.snapshot import Snapshot
from entryproxy.process import link
from entryproxy.process.findings import FindingLog
from entryproxy.process.ledger import BudgetSlots, Ledger
from entryproxy.process.publisher import Publisher
from entryproxy.process.roster import Roster
from entryproxy.settings import ServeSettings
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.histogram import Histogram

UNREADABLE_REASONS = frozenset({"UnreadableFolder"})
"""Findings that say that the whole source is out of reach, not one object."""
UNTOLD_REASONS = UNREADABLE_REASONS | {"UnreadableFile", "InvalidYaml"}
"""Findings of a source that don't say which objects can't be read."""
STALE_SLACK_SECONDS = 1.0
"""How long after it turned stale a compilation is repeated, so that clocks agree that it has."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class ControlContext:
    """What the control process inherits from the supervisor. ledger: memory made by `ledger.create_memory`."""

    settings: ServeSettings
    admin: socket.socket
    link: socket.socket
    ledger: mmap.mmap


class Source(Protocol):
    """Where objects come from."""

    def load(self) -> tuple[Sequence[LabelledObject], Sequence[Finding]]:
        """Everything there is now, and what can't be read; what was read before stays until it can."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """A tick whenever it is worth loading again, the first one at once; a burst of changes is one tick."""
        ...

    def request_reload(self) -> None:
        """Have `watch` tick soon, changed or not."""
        ...


class Compiler(Protocol):
    """`compiler.compile.Compiler`."""

    def resume(self, running: Snapshot) -> None: ...

    def compile(self, objects: Iterable[LabelledObject], now: float, unread: Set[str] = ...) -> Compilation: ...


def run(context: ControlContext, source: Source, compiler: Compiler) -> None:
    """Work until the supervisor closes the link."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches every process; the supervisor answers it
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Control(context, source, compiler).serve())


class Control:
    """The life of one control process; what the console reads is in its properties (`console.view.ControlView`)."""

    def __init__(self, context: ControlContext, source: Source, compiler: Compiler) -> None:
        self._context = context
        self._source = source
        self._compiler = compiler
        self._propagation = Histogram()
        ledger = Ledger(context.ledger)
        self._is_successor = ledger.generation > 0
        self._publisher = Publisher(ledger, BudgetSlots(context.ledger), self._propagation.observe)
        self._roster = Roster(context.settings.workers, self._publisher)
        self._finding_log = FindingLog()
        self._objects: Sequence[LabelledObject] = ()
        self._source_findings: Sequence[Finding] = ()
        self._compiled_findings: tuple[Finding, ...] = ()
        self._stale: asyncio.TimerHandle | None = None
        self._released = asyncio.Event()
        self._draining = False
        self._source_error = ""
        self._started_at = time.time()
        self._configured_at: float | None = None

    async def serve(self) -> None:
        """Until the link ends; raises when the source can't be followed any more: a fresh process takes over then."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        loop.add_signal_handler(signal.SIGHUP, self._source.request_reload)
        loop.add_reader(self._context.link.fileno(), self._read_link)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        console = Console(self)
        await console.start(self._context.admin)
        following = tasks.spawn(self._follow(), "follow the source")
        released = tasks.spawn(self._released.wait(), "wait for the end")
        try:
            await asyncio.wait({following, released}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                await following
        finally:
            await console.close()
            await self._roster.close()
            await tasks.cancel_all()

    # -- console.view.ControlView

    @property
    def ready(self) -> bool:
        return self._roster.all_configured and not self._draining

    @property
    def reason(self) -> str:
        if self._draining:
            return "draining"
        if self._roster.all_configured:
            return ""
        return "no configuration yet" if self.snapshot is None else "not yet in force in every worker"

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def snapshot(self) -> Snapshot | None:
        return self._publisher.snapshot

    @property
    def generation(self) -> int:
        return self.snapshot.generation if self.snapshot else 0

    @property
    def findings(self) -> Sequence[Finding]:
        return (*self._source_findings, *self._compiled_findings, *self._roster.problems)

    @property
    def workers(self) -> Sequence[WorkerInfo]:
        return self._roster.workers()

    @property
    def propagation(self) -> Histogram:
        return self._propagation

    @property
    def started_at(self) -> float:
        return self._started_at

    @property
    def configured_at(self) -> float | None:
        return self._configured_at

    @property
    def source_error(self) -> str:
        return self._source_error

    async def reports(self) -> Sequence[WorkerReport]:
        return (await self._roster.collect()).reports()

    # -- the source

    async def _follow(self) -> None:
        if self._is_successor:
            await self._resume()
        async for _ in self._source.watch():
            seen_at = time.monotonic()
            self._load()
            self._compile(seen_at)

    async def _resume(self) -> None:
        running = await self._roster.recall()
        if running is not None:
            self._compiler.resume(running)

    def _load(self) -> None:
        self._objects, self._source_findings = self._source.load()
        unreadable = [finding for finding in self._source_findings if finding.reason in UNREADABLE_REASONS]
        self._source_error = str(unreadable[0]) if unreadable else ""
        if not unreadable:
            self._configured_at = time.time()

    def _compile(self, seen_at: float) -> None:
        compilation = self._compiler.compile(self._objects, time.time(), unread_in(self._source_findings))
        self._compiled_findings = compilation.findings
        self._finding_log.announce((*self._source_findings, *compilation.findings))
        self._compile_again_at(compilation.stale_at)
        if compilation.platform is None:
            return
        if self._publisher.publish(compilation.platform, compilation.tenants.values(), seen_at):
            _log.info("generation %d, tenants: %d", self.generation, len(compilation.tenants))

    def _compile_again_at(self, stale_at: float) -> None:
        """Certificates begin and end without any change of an object."""
        if self._stale is not None:
            self._stale.cancel()
            self._stale = None
        if math.isfinite(stale_at):
            # In steps of a day at most: the loop's timers don't notice when somebody sets the clock.
            delay = min(max(stale_at - time.time(), 0.0) + STALE_SLACK_SECONDS, 86_400.0)
            self._stale = asyncio.get_running_loop().call_later(delay, self._compile_stale)

    def _compile_stale(self) -> None:
        self._compile(time.monotonic())

    # -- the supervisor

    def _drain(self) -> None:
        self._draining = True

    def _read_link(self) -> None:
        try:
            received = link.receive_channel(self._context.link)
        except BlockingIOError:
            return
        except OSError:
            received = None
        if received is None:
            asyncio.get_running_loop().remove_reader(self._context.link.fileno())
            self._released.set()
        else:
            tasks.spawn(self._roster.admit(received[1]), f"admit worker {received[0]}")


def unread_in(findings: Iterable[Finding]) -> frozenset[str]:
    """References of the objects that a source could not read, "" for those that it could not even tell."""
    return frozenset(
        "" if finding.reason in UNTOLD_REASONS or finding.object.endswith("/?") else finding.object
        for finding in findings
        if finding.reason != "DuplicateObject"
    )
