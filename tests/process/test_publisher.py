from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Limits, Platform, Tenant
from entryproxy.process import messages
from entryproxy.process import publisher as publisher_module
from entryproxy.process.ledger import BudgetSlots, Ledger, create_memory
from entryproxy.process.publisher import Publisher, Subscriber
from entryproxy.routing.table import RoutingTable

PLATFORM = Platform(system_domain="aigw.example.com")


def tenant(name: str, *domains: str, requests_per_second: int = 0) -> Tenant:
    return Tenant(
        id=name,
        domains=domains,
        gateway_addresses=("127.0.0.1:1",),
        limits=Limits(requests_per_second=requests_per_second),
    )


class Worker:
    """A worker that answers when the test says so."""

    def __init__(self, publisher: Publisher, acknowledged: int = 0) -> None:
        self._publisher = publisher
        self._sent: list[Change] = []
        self.table = RoutingTable()
        self.changes: list[Change] = []
        self.subscriber = Subscriber(self._take, acknowledged)
        publisher.join(self.subscriber)

    def _take(self, payload: bytes) -> None:
        message = messages.worker_decoder.decode(payload)
        assert isinstance(message, messages.Arrival)
        self._sent.append(message.change.decode())
        self.changes.append(self._sent[-1])
        assert len(self._sent) == 1, "a second change under way"

    def answer(self, now: float = 0.0) -> bool:
        """Put in force what came; False when nothing did."""
        if not self._sent:
            return False
        change = self._sent.pop()
        self.table.follow(change, change.tenants)
        self._publisher.applied(self.subscriber, change.generation, now)
        return True

    def refuse(self) -> None:
        self._publisher.refused(self.subscriber, self._sent.pop().generation)

    def has(self, newest: Snapshot | None) -> bool:
        return newest is not None and (
            (self.table.platform, self.table.tenants, self.table.owners, self.table.generation)
            == (newest.platform, dict(newest.tenants), dict(newest.owners), newest.generation)
        )


@pytest.fixture
def observed() -> list[float]:
    return []


@pytest.fixture
def publisher(observed: list[float]) -> Publisher:
    return make_publisher(observed)


def make_publisher(observed: list[float]) -> Publisher:
    memory = create_memory()
    return Publisher(Ledger(memory), BudgetSlots(memory), observed.append)


def publish(publisher: Publisher, tenants: list[Tenant], seen_at: float = 0.0) -> bool:
    """All tenants that there are now; those that may differ are worked out."""
    wanted = {one.id: one for one in tenants}
    before = publisher.snapshot.tenants if publisher.snapshot else {}
    touched = {key for key in wanted.keys() | before.keys() if wanted.get(key) is not before.get(key)}
    return publisher.publish(PLATFORM, wanted, touched, seen_at)


def test_a_worker_that_comes_gets_everything_then_differences(publisher: Publisher) -> None:
    early = Worker(publisher)
    assert early.changes == []
    assert publish(publisher, [tenant("one"), tenant("two")])
    early.answer()
    publish(publisher, [tenant("one"), tenant("three")])
    early.answer()
    late = Worker(publisher)
    late.answer()
    first, second = early.changes
    assert first.whole
    assert not second.whole
    assert [one.id for one in second.tenants] == ["three"]
    assert second.removed == ("two",)
    assert late.changes[0].whole
    assert early.has(publisher.snapshot)
    assert late.has(publisher.snapshot)


def test_nothing_is_published_when_nothing_differs(publisher: Publisher) -> None:
    worker = Worker(publisher)
    assert publish(publisher, [tenant("one", requests_per_second=5)])
    worker.answer()
    assert not publish(publisher, [tenant("one", requests_per_second=5)])
    assert len(worker.changes) == 1
    assert publisher.snapshot is not None
    assert publisher.snapshot.generation == 1


def test_a_slow_worker_skips_what_it_missed_and_holds_up_nobody(publisher: Publisher, observed: list[float]) -> None:
    slow, quick = Worker(publisher), Worker(publisher)
    for number in range(100):
        publish(publisher, [tenant(f"tenant{number}")], float(number))
        quick.answer(now=number + 0.5)
    assert len(quick.changes) == 100
    assert len(slow.changes) == 1
    assert observed == []
    slow.answer(now=200.0)
    assert observed == [200.0]
    slow.answer(now=300.0)
    assert len(slow.changes) == 2
    assert "tenant0" in slow.changes[1].removed
    assert [one.id for one in slow.changes[1].tenants] == ["tenant99"]
    assert slow.has(publisher.snapshot)
    assert observed[1:] == [300.0 - number for number in range(1, 100)]


def test_a_change_is_in_force_when_the_last_worker_that_lives_has_it(
    publisher: Publisher, observed: list[float]
) -> None:
    first, second = Worker(publisher), Worker(publisher)
    publish(publisher, [], 10.0)
    first.answer(now=10.5)
    assert observed == []
    publisher.leave(second.subscriber, now=11.0)
    assert observed == [1.0]


def test_answers_to_an_earlier_control_process_are_ignored(publisher: Publisher) -> None:
    worker = Worker(publisher, acknowledged=40)
    publish(publisher, [])
    publisher.applied(worker.subscriber, 39, 0.0)
    assert worker.subscriber.acknowledged == 40
    worker.answer()
    assert worker.subscriber.acknowledged == 1


def test_a_refused_change_is_not_sent_again_but_the_next_one_is_whole(publisher: Publisher) -> None:
    worker = Worker(publisher)
    publish(publisher, [tenant("one")])
    worker.answer()
    publish(publisher, [tenant("one"), tenant("poison")])
    worker.refuse()
    assert len(worker.changes) == 2
    publish(publisher, [tenant("one"), tenant("two")])
    assert worker.changes[2].whole
    worker.answer()
    assert worker.has(publisher.snapshot)


def test_a_change_refused_while_a_newer_one_waits_is_followed_by_it(publisher: Publisher) -> None:
    worker = Worker(publisher)
    publish(publisher, [tenant("poison")])
    publish(publisher, [tenant("one")])
    worker.refuse()
    worker.answer()
    assert worker.has(publisher.snapshot)


def test_only_tenants_with_limits_get_a_row_and_lose_it_with_them(publisher: Publisher) -> None:
    def rows() -> dict[str, int]:
        assert publisher.snapshot is not None
        return {key: one.budget_slot for key, one in publisher.snapshot.tenants.items()}

    limited = [tenant("one", requests_per_second=1), tenant("two"), tenant("three", requests_per_second=1)]
    publish(publisher, limited)
    assert rows() == {"one": 0, "two": -1, "three": 1}
    publish(publisher, [tenant("one"), tenant("two"), *limited[2:]])
    assert rows() == {"one": -1, "two": -1, "three": 1}
    publish(publisher, [*limited])
    assert rows() == {"one": 2, "two": -1, "three": 1}


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("publish"),
            st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "x.example"]), max_size=6),
        ),
        st.tuples(st.just("answer"), st.integers(0, 2)),
        st.tuples(st.just("refuse"), st.integers(0, 2)),
        st.tuples(st.just("replace"), st.integers(0, 2)),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_every_worker_ends_with_the_newest_snapshot(steps: list[tuple[str, object]]) -> None:
    publisher = make_publisher([])
    workers = [Worker(publisher) for _ in range(3)]
    for action, what in steps:
        if isinstance(what, dict):
            publish(publisher, [tenant(name, f"{name}.{end}") for name, end in what.items()])
        elif isinstance(what, int) and action == "answer":
            workers[what].answer()
        elif isinstance(what, int) and action == "replace":
            publisher.leave(workers[what].subscriber, 0.0)
            workers[what] = Worker(publisher)
        elif isinstance(what, int) and workers[what].subscriber.under_way:
            workers[what].refuse()
    publish(publisher, [tenant("last")])
    for worker in workers:
        while worker.answer():
            pass
        assert worker.has(publisher.snapshot)


def test_a_worker_that_has_the_newest_already_gets_only_what_comes_after(observed: list[float]) -> None:
    before = make_publisher(observed)
    publish(before, [tenant("one"), tenant("two")])
    served = Worker(before)
    served.answer()
    assert before.snapshot is not None
    memory = create_memory()
    Ledger(memory).next_generation()
    successor = Publisher(Ledger(memory), BudgetSlots(memory), observed.append)
    early = Worker(successor, acknowledged=1)
    successor.resume(before.snapshot)
    late = Worker(successor, acknowledged=1)
    for worker in (early, late):
        worker.table.follow(before.snapshot.as_change(), tuple(before.snapshot.tenants.values()))
    assert not publish(successor, [tenant("one"), tenant("two")])
    assert early.changes == late.changes == []
    assert publish(successor, [tenant("one"), tenant("three")])
    for worker in (early, late):
        worker.answer()
        (change,) = worker.changes
        assert (change.whole, change.platform, change.removed) == (False, None, ("two",))
        assert worker.has(successor.snapshot)


def test_workers_without_what_is_resumed_get_it_though_nothing_changes(observed: list[float]) -> None:
    """A fresh worker, or one that was slow, beside one that tells a fresh control process what it has."""
    memory = create_memory()
    publisher = Publisher(Ledger(memory), BudgetSlots(memory), observed.append)
    fresh, behind = Worker(publisher), Worker(publisher, acknowledged=6)
    running = Snapshot.build(PLATFORM, [tenant("one")], generation=7)
    publisher.resume(running)
    late = Worker(publisher)
    assert not publish(publisher, [tenant("one")])
    for worker in (fresh, behind, late):
        assert worker.answer()
        assert worker.has(running)


def test_rows_that_nobody_in_force_has_are_free_again_after_a_restart(observed: list[float]) -> None:
    memory = create_memory()
    before = Publisher(Ledger(memory), BudgetSlots(memory), observed.append)
    publish(before, [tenant("one", requests_per_second=1)])
    running = before.snapshot
    assert running is not None
    publish(before, [tenant("one", requests_per_second=1), tenant("two", requests_per_second=1)])
    rows = BudgetSlots(memory)
    successor = Publisher(Ledger(memory), rows, observed.append)
    successor.resume(running)
    assert rows.row_of("one") == 0
    assert rows.row_of("two") == 2, "the row of a tenant that was in force in no worker that told is reused last"


def test_what_a_silent_worker_lacks_does_not_pile_up_for_ever(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "LACKS_MAX", 4)
    silent = Worker(publisher)
    for number in range(20):
        publish(publisher, [tenant(f"tenant{number}")])
    assert len(silent.subscriber.lacks) < 8
    silent.answer()
    silent.answer()
    assert silent.has(publisher.snapshot)
    publish(publisher, [tenant("one")])
    silent.answer()
    assert silent.has(publisher.snapshot)
    assert [one.whole for one in silent.changes] == [True, True, False]
