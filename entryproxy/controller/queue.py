"""What waits to be looked at: keys with a time each, every key at most once, and never twice at the same time."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from time import monotonic


class WorkQueue:
    """As client-go's delaying work queue, with two lanes: what is urgent comes first, once it is due. For one event
    loop. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._urgent = _Lane()
        self._regular = _Lane()
        self._active: set[str] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many are due now and wait for a free hand."""
        now = self._clock()
        return len(self._urgent.due_at(now) | self._regular.due_at(now))

    def add(self, key: str, delay_seconds: float = 0.0, *, is_urgent: bool = False) -> None:
        """Look at it that much later, or earlier if that was said before. One that is being looked at is looked at
        again."""
        lane = self._urgent if is_urgent else self._regular
        if lane.put(key, self._clock() + delay_seconds):
            self._changed.set()

    async def get(self) -> str:
        """The next key that is due; `done` must follow."""
        while True:
            self._changed.clear()
            if (key := self._pop()) is not None:
                self._active.add(key)
                return key
            await self._wait()

    def done(self, key: str) -> None:
        """It has been looked at."""
        self._active.remove(key)
        self._urgent.put_back(key)
        self._regular.put_back(key)
        self._changed.set()

    def _pop(self) -> str | None:
        now = self._clock()
        for lane in (self._urgent, self._regular):
            if (key := lane.pop(now, self._active)) is not None:
                # One look is enough for all that is due by now.
                self._urgent.drop(key, now)
                self._regular.drop(key, now)
                return key
        return None

    async def _wait(self) -> None:
        next_at = min(self._urgent.next_at, self._regular.next_at)
        try:
            async with asyncio.timeout(max(next_at - self._clock(), 0.0) if math.isfinite(next_at) else None):
                await self._changed.wait()
        except TimeoutError:
            pass


class _Lane:
    """Keys by when they are due."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []  # also of times that don't count any more

    @property
    def next_at(self) -> float:
        """No key is due before that; infinite for none."""
        return self._heap[0][0] if self._heap else math.inf

    def due_at(self, now: float) -> set[str]:
        return {key for key, due in self._due.items() if due <= now}

    def put(self, key: str, due: float) -> bool:
        """Whether that is earlier than what was known."""
        if due >= self._due.get(key, math.inf):
            return False
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        return True

    def put_back(self, key: str) -> None:
        """A key that `pop` has passed over because it was active."""
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], key))

    def pop(self, now: float, active: set[str]) -> str | None:
        """The key that has been due for longest."""
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) == due and key not in active:
                del self._due[key]
                return key
        return None

    def drop(self, key: str, now: float) -> None:
        """Forget a key if it is due."""
        if self._due.get(key, math.inf) <= now:
            del self._due[key]
