"""Deadlines on fake time: never early, at most two ticks late, never after they were cleared."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.edge.deadlines import TICK_SECONDS, DeadlineWheel, Timed


class NoTimer:
    def cancel(self) -> None:
        pass


class TurnedByHand:
    """A loop that never calls back: the test turns the wheel."""

    def __init__(self) -> None:
        self.timers = 0

    def call_later(self, delay: float, callback: Callable[[], None]) -> NoTimer:
        self.timers += 1
        return NoTimer()


def wheel_on(loop: TurnedByHand | None = None) -> DeadlineWheel:
    return DeadlineWheel(cast(asyncio.AbstractEventLoop, loop or TurnedByHand()))


class Recorder(Timed):
    """Remembers when it expired; runs `then`."""

    __slots__ = ("fired", "then", "want")

    def __init__(self) -> None:
        super().__init__()
        self.fired: list[float] = []
        self.want = inf
        self.then: Callable[[float], None] | None = None

    def expired(self, now: float) -> None:
        self.fired.append(now)
        self.want = inf
        if self.then is not None:
            self.then(now)


@dataclasses.dataclass(frozen=True)
class Step:
    """Wait, then do something to one of the recorders."""

    wait: float
    who: int
    what: str
    ahead: float


_STEPS = st.lists(
    st.builds(
        Step,
        wait=st.floats(0, 1),
        who=st.integers(0, 3),
        what=st.sampled_from(["set", "store", "clear", "nothing"]),
        ahead=st.floats(0, 3),
    ),
    max_size=40,
)


@given(_STEPS)
def test_deadlines_fire_on_time(steps: list[Step]) -> None:
    wheel, now = wheel_on(), monotonic()
    recorders = [Recorder() for _ in range(4)]

    def advance(until: float) -> None:
        """Turn as the timer does, once per tick, and judge what happened."""
        nonlocal now
        while now < until:
            now = min(now + TICK_SECONDS, until)
            wants = [one.want for one in recorders]
            counts = [len(one.fired) for one in recorders]
            wheel.turn(now)
            for one, want, count in zip(recorders, wants, counts, strict=True):
                if len(one.fired) > count:
                    assert want <= now, "early, or not wanted any more"
                    assert len(one.fired) == count + 1
                else:
                    assert want == inf or now <= want + 2 * TICK_SECONDS + 1e-6, "late"

    for step in steps:
        advance(now + step.wait)
        one = recorders[step.who]
        deadline = now + step.ahead
        if step.what == "set" or (step.what == "store" and deadline < one.looked_at):
            wheel.set(one, deadline)
            one.want = deadline
        elif step.what == "store":  # what the request path does instead of asking the wheel
            one.deadline = one.want = deadline
        elif step.what == "clear":
            wheel.clear(one)
            one.want = inf
    advance(now + 4)
    assert all(one.want == inf for one in recorders)


def test_a_handler_may_clear_or_move_those_that_are_due_with_it() -> None:
    wheel, now = wheel_on(), monotonic()
    first, cleared, moved = Recorder(), Recorder(), Recorder()

    def then(at: float) -> None:
        wheel.clear(cleared)
        wheel.clear(moved)
        wheel.set(moved, at + 1)

    first.then = then
    for one in (first, cleared, moved):
        wheel.set(one, now + 0.5)
    wheel.turn(now + 0.7)
    assert (len(first.fired), len(cleared.fired), len(moved.fired)) == (1, 0, 0)
    wheel.turn(now + 5)
    assert (len(first.fired), len(cleared.fired), len(moved.fired)) == (1, 0, 1)
    assert not wheel._buckets


def test_a_handler_may_set_its_own_deadline_again() -> None:
    wheel, now = wheel_on(), monotonic()
    one = Recorder()
    one.then = lambda at: wheel.set(one, at)
    wheel.set(one, now)
    for turn in range(1, 6):
        wheel.turn(now + turn * TICK_SECONDS * 2)
    assert len(one.fired) == 5, "once per turn that is due, not without end within one"


def test_a_handler_that_fails_stops_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_at: float) -> None:
        raise ZeroDivisionError

    wheel, now = wheel_on(), monotonic()
    first, second = Recorder(), Recorder()
    first.then = fail
    wheel.set(first, now)
    wheel.set(second, now)
    with caplog.at_level(logging.ERROR):
        wheel.turn(now + 1)
    assert len(first.fired) == len(second.fired) == 1
    assert "handler failed" in caplog.text


def test_cleared_deadlines_are_not_kept() -> None:
    wheel, now = wheel_on(), monotonic()
    one = Recorder()
    wheel.set(one, now + 1)
    wheel.set(one, now + 0.5)
    wheel.clear(one)
    wheel.clear(one)
    assert all(one not in bucket for bucket in wheel._buckets.values())
    assert (one.tick, one.looked_at) == (0, inf)


def test_further_deadlines_cost_no_move() -> None:
    wheel, now = wheel_on(), monotonic()
    one = Recorder()
    wheel.set(one, now + 1)
    tick = one.tick
    wheel.set(one, now + 100)
    assert one.tick == tick
    wheel.turn(now + 1.2)
    assert not one.fired
    assert one.tick > tick


def test_after_stop_nothing_fires() -> None:
    loop, now = TurnedByHand(), monotonic()
    wheel = wheel_on(loop)
    one, late = Recorder(), Recorder()
    wheel.set(one, now)
    wheel.stop()
    wheel.set(late, now)
    wheel.turn(now)
    assert not one.fired
    assert loop.timers == 1


def test_a_rested_wheel_does_not_walk_through_the_time_it_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, now = TurnedByHand(), monotonic()
    wheel = wheel_on(loop)
    later = now + 1_000_000
    monkeypatch.setattr("entryproxy.edge.deadlines.monotonic", lambda: later)
    one = Recorder()
    wheel.set(one, later + 1)
    assert wheel._current >= int(later / TICK_SECONDS) - 1
    wheel.turn(later + 1.2)
    assert len(one.fired) == 1


def test_a_late_timer_skips_no_bucket_though_handlers_set_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, now = TurnedByHand(), monotonic()
    wheel = wheel_on(loop)
    recorders = [Recorder() for _ in range(6)]
    for place, one in enumerate(recorders):
        one.then = lambda at, one=one: wheel.set(one, at + 50)
        wheel.set(one, now + place // 2 * 0.5)
    monkeypatch.setattr("entryproxy.edge.deadlines.monotonic", lambda: now + 10)
    wheel._on_timer()
    assert [len(one.fired) for one in recorders] == [1] * 6
    assert loop.timers == 2


async def test_the_loop_turns_the_wheel() -> None:
    wheel = DeadlineWheel(asyncio.get_running_loop())
    one, fired = Recorder(), asyncio.Event()
    one.then = lambda _at: fired.set()
    wheel.set(one, monotonic() + 0.01)
    async with asyncio.timeout(5):
        await fired.wait()
    assert wheel._timer is None, "an empty wheel rests"
    wheel.stop()
