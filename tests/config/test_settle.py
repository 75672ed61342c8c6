from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from entryproxy.config.settle import Settle, settled, wait_for_event


def test_quiet_after_the_latest_but_not_for_ever() -> None:
    settle = Settle(quiet=10, longest=25)
    assert settle.due() is None
    settle.notice(100)
    assert settle.due() == 110
    settle.notice(109)
    assert settle.due() == 119
    settle.notice(118)
    assert settle.due() == 125
    settle.clear()
    assert settle.due() is None


class FakeTime:
    """A clock that only moves when somebody waits; `changes` are the times at which the event is set."""

    def __init__(self, changed: asyncio.Event, changes: Sequence[float]) -> None:
        self.now = 0.0
        self._changed = changed
        self._changes = list(changes)

    def clock(self) -> float:
        return self.now

    def set_next(self) -> None:
        """Go to the next change, wherever it is."""
        if self._changes:
            self.now = max(self.now, self._changes.pop(0))
            self._changed.set()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        if self._changes and self._changes[0] < self.now + seconds:
            self.set_next()
            return True
        self.now += seconds
        return event.is_set()


@pytest.mark.parametrize(
    ("changes", "ticks", "firsts"),
    [
        ([0], [10], [0]),
        ([0, 5, 9], [19], [0]),
        ([0, 5, 10, 15, 20, 25, 30], [25, 40], [0, 25]),  # never rests: the longest hold-off, then the rest
        ([0, 100], [10, 110], [0, 100]),
    ],
)
async def test_ticks(changes: list[float], ticks: list[float], firsts: list[float]) -> None:
    changed = asyncio.Event()
    time = FakeTime(changed, changes)
    seen: list[float] = []
    noticed: list[float] = []
    time.set_next()
    iterator = settled(changed, Settle(quiet=10, longest=25), time.clock, time.wait)
    for _ in ticks:
        noticed.append(await anext(iterator))
        seen.append(time.now)
        if not changed.is_set():
            time.set_next()
    assert (seen, noticed) == (ticks, firsts)
    assert not changed.is_set()


async def test_wait_for_event() -> None:
    event = asyncio.Event()
    assert not await wait_for_event(event, 0.001)
    asyncio.get_running_loop().call_soon(event.set)
    assert await wait_for_event(event, 60)
