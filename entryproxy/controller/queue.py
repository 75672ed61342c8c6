"""What waits to be looked at: keys with a time each, every key at most once, and never twice at the same time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from time import monotonic


class WorkQueue:
    """As client-go's delaying work queue. For one event loop. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []  # also of times that don't count any more
        self._active: set[str] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many are due now and wait for a free hand."""
        now = self._clock()
        return sum(due <= now for due in self._due.values())

    def add(self, key: str, delay_seconds: float = 0.0) -> None:
        """Look at it that much later, or earlier if that was said before. One that is being looked at is looked at
        again."""
        due = self._clock() + delay_seconds
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
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
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], key))
            self._changed.set()

    def _pop(self) -> str | None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            # One that is active comes back with `done`.
            if self._due.get(key) == due and key not in self._active:
                del self._due[key]
                return key
        return None

    async def _wait(self) -> None:
        timeout = max(self._heap[0][0] - self._clock(), 0.0) if self._heap else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            pass
