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
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import uvloop

from entryproxy import tasks
from entryproxy.compiler.compile import Compilation
from entryproxy.compiler.parsing import Entry, Parser
from entryproxy.console.server import Console
from entryproxy.console.view import WorkerInfo
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Snapshot
from entryproxy.process import collector, link, priority
from entryproxy.process.crew import Crew, helpers_wanted
from entryproxy.process.findings import FindingLog
from entryproxy.process.last_good import LastGoodFile
from entryproxy.process.ledger import BudgetSlots, Ledger
from entryproxy.process.publisher import Publisher
from entryproxy.process.roster import Roster
from entryproxy.settings import ServeSettings
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.histogram import Histogram

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

    def resume(self, running: Snapshot) -> None:
        """Before the first `watch`: this is in force already."""
        ...

    def preview(self, show: Callable[[Sequence[LabelledObject]], None]) -> None:
        """Before the first `watch`: `show` may get objects that are going to be in the first reading while the rest is
        still being read; the very objects, or others in their place."""
        ...

    def load(self) -> Reading:
        """What is different since the last call, everything the first time; what can't be read for a moment is not
        gone."""
        ...

    def watch(self) -> AsyncIterator[float]:
        """A tick whenever it is worth loading again, the first one at once; a burst of changes is one tick.

        The value is the time, monotonic, at which the first change of the burst was seen.
        """
        ...

    def request_reload(self) -> None:
        """Have `watch` tick soon, changed or not."""
        ...


class Compiler(Protocol):
    """`compiler.compile.Compiler`."""

    @property
    def parser(self) -> Parser: ...

    def resume(self, running: Snapshot) -> None: ...

    def compile(self, reading: Reading, now: float, parsed: Mapping[str, Entry]) -> Compilation: ...


def run(context: ControlContext, source: Source, compiler: Compiler) -> None:
    """Work until the supervisor closes the link."""
    collector.pause()
    priority.step_back()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches every process; the supervisor answers it
    with (
        Crew(compiler.parser, helpers_wanted()) as crew,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(Control(context, source, compiler, crew).serve())


class Control:
    """The life of one control process; what the console reads is in its properties (`console.view.ControlView`)."""

    def __init__(self, context: ControlContext, source: Source, compiler: Compiler, crew: Crew) -> None:
        self._context = context
        self._source = source
        self._compiler = compiler
        self._crew = crew
        self._propagation = Histogram()
        ledger = Ledger(context.ledger)
        self._predecessors_generation = ledger.generation
        self._publisher = Publisher(ledger, BudgetSlots(context.ledger), self._propagation.observe)
        self._roster = Roster(context.settings.workers, self._publisher)
        self._finding_log = FindingLog()
        state_dir = context.settings.state_dir
        self._last_good = LastGoodFile(Path(state_dir), lambda: self.configured_at) if state_dir else None
        self._standing = Reading(error="It has not been read yet")  # what the source said last, but for the objects
        self._compiled_findings: tuple[Finding, ...] = ()
        self._last_good_from: float | None = None
        self._stale: asyncio.TimerHandle | None = None
        self._is_stale = asyncio.Event()
        self._released = asyncio.Event()
        self._draining = False
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
        if self._last_good is not None:
            self._last_good.start()
        work = (
            tasks.spawn(self._follow(), "follow the source"),
            tasks.spawn(self._follow_time(), "follow the time"),
            tasks.spawn(self._released.wait(), "wait for the end"),
        )
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                await one
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
        state = (self._last_good.problem,) if self._last_good is not None and self._last_good.problem else ()
        return (*self._standing.findings, *self._compiled_findings, *self._roster.problems, *state)

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
        if self._configured_at is None:
            return self._last_good_from
        return self._configured_at if self._standing.error else time.time()

    @property
    def source_error(self) -> str:
        return self._standing.error

    async def reports(self) -> Sequence[WorkerReport]:
        return (await self._roster.collect()).reports()

    # -- the source

    async def _follow(self) -> None:
        await self._resume()
        self._source.preview(lambda objects: self._crew.offer(objects, time.time()))
        async for seen_at in self._source.watch():
            reading = self._source.load()
            self._compile(reading, seen_at, await self._crew.parse(reading.changed, time.time()))
            collector.resume()

    async def _follow_time(self) -> None:
        """Certificates begin and end without any change of an object."""
        while True:
            await self._is_stale.wait()
            self._is_stale.clear()
            self._compile(self._standing, time.monotonic(), {})

    async def _resume(self) -> None:
        """Begin with what is in force already: in the workers, else in the last good file."""
        newest = self._predecessors_generation
        running = await self._roster.recall(newest) if newest else None
        if running is not None:
            self._publisher.resume(running)
        elif self._last_good is not None and (found := self._last_good.read()) is not None:
            running, self._last_good_from = found
            self._publisher.publish(running.platform, running.tenants, (), time.monotonic())
        if running is not None:
            self._crew.dismiss()  # most objects are going to have a previous version
            self._compiler.resume(running)
            self._source.resume(running)

    def _compile(self, reading: Reading, seen_at: float, parsed: Mapping[str, Entry]) -> None:
        with collector.bulk(len(reading.changed)):
            self._bring_in_force(reading, seen_at, parsed)

    def _bring_in_force(self, reading: Reading, seen_at: float, parsed: Mapping[str, Entry]) -> None:
        compilation = self._compiler.compile(reading, time.time(), parsed)
        if not (reading.error and self._standing.error):  # it agrees now, or did until now
            self._configured_at = time.time()
        self._standing = msgspec.structs.replace(reading, changed=(), removed=())
        self._compiled_findings = compilation.findings
        self._finding_log.announce(reading.findings, compilation.findings)
        self._compile_again_at(compilation.stale_at)
        if compilation.platform is None:
            return
        if self._publisher.publish(compilation.platform, compilation.tenants, compilation.touched, seen_at):
            _log.info("generation %d, tenants: %d", self.generation, len(compilation.tenants))
        if self._last_good is not None and self.snapshot is not None and self.configured_at is not None:
            self._last_good.keep(self.snapshot)

    def _compile_again_at(self, stale_at: float) -> None:
        if self._stale is not None:
            self._stale.cancel()
            self._stale = None
        if math.isfinite(stale_at):
            # In steps of a day at most: the loop's timers don't notice when somebody sets the clock.
            delay = min(max(stale_at - time.time(), 0.0) + STALE_SLACK_SECONDS, 86_400.0)
            self._stale = asyncio.get_running_loop().call_later(delay, self._is_stale.set)

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
