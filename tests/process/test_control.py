from __future__ import annotations

import asyncio
import contextlib
import mmap
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from entryproxy.compiler.compile import Compilation
from entryproxy.compiler.parsing import Entry, Parser
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.process import control, crew, last_good, ledger, link, messages, roster
from entryproxy.process.channel import Channel
from entryproxy.process.control import Control, ControlContext
from entryproxy.process.crew import Crew
from entryproxy.settings import ServeSettings
from tests.compiler.objects import config

PLATFORM = Platform(system_domain="aigw.example.com")
ONE = Tenant(id="one", gateway_addresses=("127.0.0.1:1",))


def finding(reason: str) -> Finding:
    return Finding(severity="error", reason=reason, object="Folder x", field="", message="gone")


class Source:
    """Ticks when the test says so."""

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.error = ""
        self.changed: tuple[LabelledObject, ...] = ()
        self.loads = 0
        self.ticks = asyncio.Queue[Exception | None]()
        self.running: Snapshot | None = None

    def resume(self, running: Snapshot) -> None:
        assert self.loads == 0
        self.running = running

    def preview(self, show: Callable[[Sequence[LabelledObject]], None]) -> None:
        assert self.loads == 0

    def load(self) -> Reading:
        self.loads += 1
        return Reading(changed=self.changed, findings=self.findings, error=self.error)

    async def watch(self) -> AsyncIterator[float]:
        while True:
            if (problem := await self.ticks.get()) is not None:
                raise problem
            yield time.monotonic()

    def request_reload(self) -> None:
        self.ticks.put_nowait(None)


class Compiler:
    """Gives what the test put there."""

    def __init__(self) -> None:
        self.parser = Parser(parse_yaml, endpoints_known=False)
        self.compilation = Compilation(platform=None, tenants={}, findings=())
        self.times: list[float] = []
        self.parsed: list[set[str]] = []
        self.running: Snapshot | None = None
        self.problem: Exception | None = None

    def resume(self, running: Snapshot) -> None:
        assert self.times == []
        self.running = running

    def compile(self, reading: Reading, now: float, parsed: Mapping[str, Entry]) -> Compilation:
        self.times.append(now)
        self.parsed.append(set(parsed))
        if self.problem is not None:
            raise self.problem
        return self.compilation


class Running:
    """A control process's life, inside the test's loop, without workers. memory: the ledger as it finds it."""

    def __init__(self, memory: mmap.mmap, state_dir: Path | None = None, helpers: int = 0) -> None:
        self.source = Source()
        self.compiler = Compiler()
        self.crew = Crew(self.compiler.parser, helpers)
        self.supervisor, own = link.open_pair()
        self.admin = socket.create_server(("127.0.0.1", 0))
        settings = ServeSettings(source="", workers=1, state_dir=str(state_dir) if state_dir else None)
        context = ControlContext(settings=settings, admin=self.admin, link=own, ledger=memory)
        self._own = own
        self.control = Control(context, self.source, self.compiler, self.crew)
        self.serving = asyncio.ensure_future(self.control.serve())

    async def tick(self) -> None:
        """One change of the source, compiled."""
        before = len(self.compiler.times)
        self.source.request_reload()
        await self.compiled(before + 1)

    async def compiled(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.compiler.times) < times:
                await asyncio.sleep(0.001)

    async def end(self) -> None:
        self.supervisor.close()
        async with asyncio.timeout(5):
            await self.serving

    def close(self) -> None:
        self.crew.dismiss()
        for sock in (self.supervisor, self._own, self.admin):
            sock.close()


@contextlib.contextmanager
def running(memory: mmap.mmap | None = None, state_dir: Path | None = None, helpers: int = 0) -> Iterator[Running]:
    one = Running(memory or ledger.create_memory(), state_dir, helpers)
    try:
        yield one
    finally:
        one.close()


async def test_nothing_is_published_before_there_is_a_platform_and_the_last_one_stays() -> None:
    with running() as one:
        await one.tick()
        assert one.control.snapshot is None
        assert (one.control.ready, one.control.reason) == (False, "no configuration yet")
        one.compiler.compilation = Compilation(platform=PLATFORM, tenants={"one": ONE}, touched={"one"}, findings=())
        await one.tick()
        assert one.control.generation == 1
        assert one.control.reason == "not yet in force in every worker"
        await one.tick()
        assert one.control.generation == 1
        await one.end()


async def test_each_tick_is_one_load_and_one_compilation() -> None:
    with running() as one:
        for _ in range(3):
            await one.tick()
        assert one.source.loads == len(one.compiler.times) == 3
        await one.end()


async def test_helpers_parse_the_first_objects_and_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "OBJECTS_MIN", 3)
    with running(helpers=1) as one:
        one.source.error = "out of reach"
        await one.tick()
        assert len(one.crew.pids) == 1
        one.source.error, one.source.changed = "", tuple(config(f"t{number}") for number in range(3))
        await one.tick()
        await one.tick()
        assert one.compiler.parsed == [set(), {each.reference for each in one.source.changed}, set()]
        assert one.crew.pids == []
        await one.end()


async def test_a_source_out_of_reach_is_said_until_it_is_back() -> None:
    with running() as one:
        assert one.control.source_error == "It has not been read yet"
        one.source.findings = (finding("UnreadableFolder"), finding("InvalidObject"))
        one.source.error = "out of reach"
        await one.tick()
        assert one.control.source_error == "out of reach"
        assert one.control.configured_at is None
        assert list(one.control.findings) == [finding("UnreadableFolder"), finding("InvalidObject")]
        one.source.findings, one.source.error = (finding("InvalidObject"),), ""
        await one.tick()
        assert one.control.source_error == ""
        assert one.control.configured_at == pytest.approx(time.time(), abs=5)
        await one.end()


async def test_what_time_makes_stale_is_compiled_again_without_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STALE_SLACK_SECONDS", 0.01)
    with running() as one:
        one.compiler.compilation = Compilation(platform=PLATFORM, tenants={}, findings=(), stale_at=time.time())
        await one.tick()
        one.compiler.compilation = Compilation(platform=PLATFORM, tenants={"one": ONE}, touched={"one"}, findings=())
        await one.compiled(2)
        assert one.source.loads == 1
        assert one.control.snapshot is not None
        assert list(one.control.snapshot.tenants) == ["one"]
        await one.end()


async def test_a_successor_compiles_on_what_a_worker_serves_with() -> None:
    memory = ledger.create_memory()
    ledger.Ledger(memory).next_generation()
    with running(memory) as one:
        one.source.request_reload()
        ours, theirs = socket.socketpair()
        with theirs:
            assert link.send_channel(one.supervisor, 0, theirs)
        asked = asyncio.Event()
        worker = await Channel.open(ours, messages.worker_decoder, lambda *_: asked.set(), lambda _: None)
        worker.send(messages.encode(messages.Hello(0, 10, 1)))
        async with asyncio.timeout(5):
            await asked.wait()
        assert one.compiler.times == []
        worker.send(messages.encode(messages.Running(Snapshot.build(PLATFORM, [ONE]).as_change())))
        await one.compiled(1)
        assert one.compiler.running is not None
        assert one.source.running is one.compiler.running
        assert (one.compiler.running.platform, dict(one.compiler.running.tenants)) == (PLATFORM, {"one": ONE})
        await one.end()
        await worker.close()


async def test_a_successor_goes_on_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "RECALL_SECONDS", 0.02)
    memory = ledger.create_memory()
    ledger.Ledger(memory).next_generation()
    with running(memory) as one:
        await one.tick()
        assert one.compiler.running is None
        await one.end()


async def test_a_source_that_can_no_longer_be_followed_ends_the_process() -> None:
    with running() as one:
        one.source.ticks.put_nowait(RuntimeError("watching failed"))
        with pytest.raises(RuntimeError, match="watching failed"):
            async with asyncio.timeout(5):
                await one.serving


async def test_a_fault_that_time_brings_to_light_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that failed half-way must not go on as if it hadn't."""
    monkeypatch.setattr(control, "STALE_SLACK_SECONDS", 0.01)
    with running() as one:
        one.compiler.compilation = Compilation(platform=PLATFORM, tenants={}, findings=(), stale_at=time.time())
        await one.tick()
        one.compiler.problem = RuntimeError("a bug")
        with pytest.raises(RuntimeError, match="a bug"):
            async with asyncio.timeout(5):
                await one.serving


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


class TestLastGood:
    """With a state folder."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(last_good, "WRITE_SECONDS_MIN", 0.01)

    @pytest.fixture
    async def long_ago(self, tmp_path: Path) -> float:
        """When what is in the folder last agreed with the source."""
        agreed_at = time.time() - 10_000.5
        await last_good.write(tmp_path, Snapshot.build(PLATFORM, [ONE]), agreed_at)
        return agreed_at

    async def test_it_is_kept_once_it_has_been_read(self, tmp_path: Path) -> None:
        file = tmp_path / last_good.FILE_NAME
        with running(state_dir=tmp_path) as one:
            one.source.error = "out of reach"
            one.compiler.compilation = Compilation(platform=PLATFORM, tenants={"one": ONE}, findings=())
            await one.tick()
            await asyncio.sleep(0.05)
            assert one.control.generation == 1
            assert not file.exists(), "what nobody ever read is not known to be good"
            one.source.error = ""
            await one.tick()
            await until(file.exists)
            await one.end()
        assert file.stat().st_mtime == pytest.approx(time.time(), abs=5)

    async def test_it_is_served_until_the_source_has_been_read(self, tmp_path: Path, long_ago: float) -> None:
        with running(state_dir=tmp_path, helpers=1) as one:
            await until(lambda: one.control.snapshot is not None)
            assert one.control.snapshot is not None
            assert dict(one.control.snapshot.tenants) == {"one": ONE}
            assert one.compiler.running is one.source.running is not None
            assert one.crew.pids == [], "what is known needs no helpers"
            assert one.control.source_error == "It has not been read yet"
            assert one.control.configured_at == pytest.approx(long_ago, abs=0.001)
            one.compiler.compilation = Compilation(platform=PLATFORM, tenants={}, touched={"one"}, findings=())
            await one.tick()
            assert dict(one.control.snapshot.tenants) == {}
            assert one.control.configured_at == pytest.approx(time.time(), abs=5)
            await one.end()

    async def test_it_grows_no_younger_while_the_source_is_away(self, tmp_path: Path, long_ago: float) -> None:
        file = tmp_path / last_good.FILE_NAME
        inode = file.stat().st_ino
        with running(state_dir=tmp_path) as one:
            one.source.error = "out of reach"
            one.compiler.compilation = Compilation(platform=PLATFORM, tenants={}, touched={"one"}, findings=())
            await one.tick()
            await until(lambda: file.stat().st_ino != inode)
            assert file.stat().st_mtime == one.control.configured_at == pytest.approx(long_ago, abs=0.001)
            await one.end()

    async def test_a_folder_that_cannot_be_written_is_a_finding(self, tmp_path: Path) -> None:
        with running(state_dir=tmp_path / "missing") as one:
            one.compiler.compilation = Compilation(platform=PLATFORM, tenants={}, findings=())
            await one.tick()
            await until(lambda: [each.reason for each in one.control.findings] == ["StateNotKept"])
            (tmp_path / "missing").mkdir()
            await until(lambda: not one.control.findings)
            await one.end()

    async def test_a_file_that_cannot_be_used_is_none(self, tmp_path: Path, long_ago: float) -> None:
        (tmp_path / last_good.FILE_NAME).chmod(0o666)
        with running(state_dir=tmp_path) as one:
            await one.tick()
            assert one.control.snapshot is None
            assert one.compiler.running is None
            await one.end()
