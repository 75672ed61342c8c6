from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.process import messages, roster
from entryproxy.process.channel import Channel
from entryproxy.process.ledger import BudgetSlots, Ledger, create_memory
from entryproxy.process.publisher import Publisher
from entryproxy.process.roster import Roster
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.totals import total_of


class Worker:
    """The other end of a channel: introduces itself, applies at once, reports unless it is told to be mute.

    Asked for its snapshot it tells one whose system domain is its slot, if `generation` says that it has any.
    """

    def __init__(self, slot: int, pid: int, generation: int = 0) -> None:
        self.report = WorkerReport()
        self.mute = False
        self.ended = asyncio.Event()
        self.asked = asyncio.Event()
        self._hello = messages.Hello(slot, pid, generation)

    async def join(self, all_workers: Roster) -> Worker:
        ours, theirs = socket.socketpair()
        await all_workers.admit(theirs)
        self.channel = await Channel.open(ours, messages.worker_decoder, self._receive, lambda _: self.ended.set())
        self.channel.send(messages.encode(self._hello))
        return self

    def _receive(self, channel: Channel[messages.ToWorker], message: messages.ToWorker) -> None:
        if isinstance(message, messages.Arrival):
            channel.send(messages.encode(messages.Applied(message.change.generation)))
        elif isinstance(message, messages.SnapshotRequest):
            self.asked.set()
            if not self.mute:
                running = Snapshot.build(Platform(system_domain=f"slot{self._hello.slot}.example"))
                channel.send(messages.encode(messages.Running(running.as_change())))
        elif not self.mute:
            channel.send(messages.encode(messages.Report(message.id, self.report)))


@pytest.fixture
def publisher() -> Publisher:
    memory = create_memory()
    return Publisher(Ledger(memory), BudgetSlots(memory), lambda _: None)


@pytest.fixture
async def workers(publisher: Publisher) -> AsyncIterator[Roster]:
    workers = Roster(2, publisher)
    yield workers
    await workers.close()


async def until(workers: Roster, pids: list[int]) -> None:
    async with asyncio.timeout(5):
        while [row.pid for row in workers.workers()] != pids:
            await asyncio.sleep(0)


async def handshakes(workers: Roster) -> int:
    return total_of((await workers.collect()).reports()).handshakes.get("ok", 0)


async def test_all_are_configured_when_each_slot_has_a_configuration(workers: Roster, publisher: Publisher) -> None:
    def is_ready() -> bool:
        return workers.all_configured

    publisher.publish(Platform(system_domain="a.example"), {}, (), 0.0)
    await Worker(0, 10).join(workers)
    await until(workers, [10, 0])
    assert not is_ready()
    second = await Worker(1, 11, generation=7).join(workers)  # a worker that served before this control process
    await until(workers, [10, 11])
    async with asyncio.timeout(5):
        while not is_ready():
            await asyncio.sleep(0)
    await second.channel.close()
    await until(workers, [10, 0])
    assert is_ready(), "one crash later the pod is no less ready"


async def test_reports_are_summed_and_those_of_the_dead_are_kept(workers: Roster) -> None:
    first, second = await Worker(0, 10).join(workers), await Worker(1, 11).join(workers)
    await until(workers, [10, 11])
    first.report.handshake("ok")
    first.report.client_connections = 3
    second.report.handshake("ok")
    assert await handshakes(workers) == 2
    await first.channel.close()
    await until(workers, [0, 11])
    assert await handshakes(workers) == 2
    successor = await Worker(0, 12).join(workers)
    successor.report.handshake("ok")
    await until(workers, [12, 11])
    assert await handshakes(workers) == 3
    assert total_of((await workers.collect()).reports()).client_connections == 0
    assert [row.restarts for row in workers.workers()] == [1, 0]


async def test_what_the_dead_counted_for_a_removed_tenant_is_freed(workers: Roster, publisher: Publisher) -> None:
    platform = Platform(system_domain="a.example")
    tenants = {name: Tenant(id=name, gateway_addresses=()) for name in ("here", "gone")}
    publisher.publish(platform, tenants, tenants.keys(), 0.0)
    worker = await Worker(0, 10).join(workers)
    await until(workers, [10, 0])
    for name in ("here", "gone", "unknown"):
        worker.report.tenant(name).in_flight = 1
    await workers.collect()
    await worker.channel.close()
    await until(workers, [0, 0])
    assert set((await workers.collect()).reports()[0].tenants) == {"here", "gone", "unknown"}
    del tenants["gone"]
    publisher.publish(platform, tenants, {"gone"}, 0.0)
    assert set((await workers.collect()).reports()[0].tenants) == {"here", "unknown"}


async def test_a_mute_worker_keeps_its_last_report(workers: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await Worker(0, 10).join(workers)
    await until(workers, [10, 0])
    worker.report.handshake("ok")
    assert await handshakes(workers) == 1
    worker.mute = True
    worker.report.handshake("ok")
    monkeypatch.setattr(roster, "REPORT_SECONDS", 0.02)
    assert await handshakes(workers) == 1


async def test_a_worker_that_dies_instead_of_reporting_is_not_waited_for(
    workers: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "REPORT_SECONDS", 60.0)
    worker = await Worker(0, 10).join(workers)
    await until(workers, [10, 0])
    worker.mute = True
    collecting = asyncio.ensure_future(workers.collect())
    await asyncio.sleep(0)
    worker.channel.abort()
    async with asyncio.timeout(5):
        await collecting


async def recalled(workers: Roster, newest: int = 5) -> str | None:
    """Whose snapshot is recalled."""
    async with asyncio.timeout(5):
        running = await workers.recall(newest)
    return running.platform.system_domain if running else None


async def test_the_newest_of_what_is_in_force_is_recalled(workers: Roster) -> None:
    await Worker(0, 10, generation=4).join(workers)
    await Worker(1, 11, generation=5).join(workers)
    await until(workers, [10, 11])
    assert await recalled(workers) == "slot1.example"


async def test_who_is_there_first_is_not_asked_while_another_one_may_have_something_newer(
    workers: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "RECALL_PATIENCE_SECONDS", 60.0)
    recalling = asyncio.ensure_future(recalled(workers))
    slow = await Worker(0, 10, generation=4).join(workers)
    await until(workers, [10, 0])
    assert not slow.asked.is_set()
    await Worker(1, 11, generation=5).join(workers)
    assert await recalling == "slot1.example"


async def test_nobody_has_anything_newer_than_the_newest(workers: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "RECALL_PATIENCE_SECONDS", 60.0)
    await Worker(0, 10, generation=5).join(workers)
    await until(workers, [10, 0])
    assert await recalled(workers) == "slot0.example"


async def test_something_newer_is_not_waited_for_long(workers: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "RECALL_PATIENCE_SECONDS", 0.02)
    await Worker(0, 10, generation=4).join(workers)
    await until(workers, [10, 0])
    assert await recalled(workers) == "slot0.example"


async def test_workers_may_come_late_to_be_asked(workers: Roster) -> None:
    recalling = asyncio.ensure_future(recalled(workers))
    await Worker(0, 10).join(workers)
    await until(workers, [10, 0])
    assert not recalling.done()
    await Worker(1, 11, generation=5).join(workers)
    assert await recalling == "slot1.example"


async def test_a_worker_that_dies_instead_of_telling_leaves_it_to_another(workers: Roster) -> None:
    victim = await Worker(0, 10, generation=5).join(workers)
    await Worker(1, 11, generation=4).join(workers)
    await until(workers, [10, 11])
    victim.mute = True
    recalling = asyncio.ensure_future(recalled(workers))
    async with asyncio.timeout(5):
        await victim.asked.wait()
    victim.channel.abort()
    assert await recalling == "slot1.example"


async def test_nothing_is_waited_for_where_nothing_is_in_force(
    workers: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "RECALL_SECONDS", 60.0)
    for slot in (0, 1):
        await Worker(slot, 10 + slot).join(workers)
    assert await recalled(workers) is None


async def test_a_worker_that_does_not_tell_is_not_waited_for_long(
    workers: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "RECALL_SECONDS", 0.02)
    worker = await Worker(0, 10, generation=5).join(workers)
    await until(workers, [10, 0])
    worker.mute = True
    assert await recalled(workers) is None
    late = messages.Running(Snapshot.build(Platform(system_domain="late.example")).as_change())
    worker.channel.send(messages.encode(late))
    worker.mute = False
    assert await handshakes(workers) == 0, "an answer that comes too late harms nothing"


async def test_who_does_not_introduce_itself_is_shown_out(workers: Roster) -> None:
    ours, theirs = socket.socketpair()
    await workers.admit(theirs)
    ended = asyncio.Event()
    channel = await Channel.open(ours, messages.worker_decoder, lambda *_: None, lambda _: ended.set())
    channel.send(messages.encode(messages.Applied(1)))
    async with asyncio.timeout(5):
        await ended.wait()


async def test_a_refusal_is_a_finding_until_the_next_change_is_applied(workers: Roster, publisher: Publisher) -> None:
    worker = await Worker(1, 11).join(workers)
    await until(workers, [0, 11])
    worker.channel.send(messages.encode(messages.Refused(3, "ValueError: no")))
    async with asyncio.timeout(5):
        while not workers.problems:
            await asyncio.sleep(0)
    assert str(workers.problems[0]) == "error: worker 1 generation 3: ValueError: no [NotApplied]"
    publisher.publish(Platform(system_domain="a.example"), {}, (), 0.0)
    async with asyncio.timeout(5):
        while workers.problems:
            await asyncio.sleep(0)
