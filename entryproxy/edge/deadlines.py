"""One timer wheel for all deadlines of a worker, instead of one timer per request (Varghese & Lauck, 1987, scheme 6).

Moving a deadline further away, which every request does several times, is an attribute store; the wheel finds out
when the old one comes up. Only a deadline that comes nearer moves between buckets.
"""

from __future__ import annotations

import asyncio
import logging
from math import inf
from time import monotonic

TICK_SECONDS = 0.1
_log = logging.getLogger(__name__)


class Timed:
    """Something with a deadline, in seconds of time.monotonic.

    looked_at: when the wheel will look next, infinite when never. A deadline no nearer than that may be stored
    without asking the wheel, which is what the request path does.
    """

    __slots__ = ("deadline", "looked_at", "tick")

    def __init__(self) -> None:
        self.deadline = 0.0
        self.looked_at = inf
        self.tick = 0

    def expired(self, now: float) -> None:
        """The deadline has passed; called once, until it is set again. For subclasses."""


class DeadlineWheel:
    """Deadlines with a resolution of one tick; never early, at most two ticks late."""

    __slots__ = ("_buckets", "_current", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, dict[Timed, None]] = {}
        self._current = self._tick_of(monotonic())
        self._timer: asyncio.TimerHandle | None = None

    def set(self, timed: Timed, deadline: float) -> None:
        """Give `timed` a deadline, nearer or further than the one it has."""
        timed.deadline = deadline
        if deadline < timed.looked_at:  # else found when the earlier bucket comes up
            if self._timer is None:
                self._current = self._tick_of(monotonic())  # it rested
            self._place(timed, max(self._tick_of(deadline) + 1, self._current + 1))

    def clear(self, timed: Timed) -> None:
        """Forget `timed`, so that nothing keeps a closed connection alive."""
        if timed.tick:
            bucket = self._buckets.get(timed.tick)
            if bucket is not None:
                bucket.pop(timed, None)
            timed.tick = 0
            timed.looked_at = inf

    def stop(self) -> None:
        """No deadline fires any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._buckets.clear()

    def turn(self, now: float) -> None:
        """Fire what is due at `now`; called by the wheel's own timer."""
        last = self._tick_of(now)
        while self._current < last:
            self._current += 1
            for timed in self._buckets.pop(self._current, ()):
                if timed.tick != self._current:
                    continue  # cleared or moved by the handler of one before it
                timed.tick = 0
                timed.looked_at = inf
                if timed.deadline <= now:
                    self._fire(timed, now)
                else:
                    self._place(timed, max(self._tick_of(timed.deadline) + 1, self._current + 1))

    def _fire(self, timed: Timed, now: float) -> None:
        try:
            timed.expired(now)
        except Exception:  # one connection's trouble must not stop everybody's deadlines
            _log.exception("a deadline's handler failed")

    def _place(self, timed: Timed, tick: int) -> None:
        self.clear(timed)
        timed.tick = tick
        timed.looked_at = tick * TICK_SECONDS
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = {}
        bucket[timed] = None
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._on_timer)

    def _on_timer(self) -> None:
        self.turn(monotonic())  # with _timer still there: a handler that sets a deadline must not start another
        self._timer = self._loop.call_later(TICK_SECONDS, self._on_timer) if self._buckets else None

    @staticmethod
    def _tick_of(moment: float) -> int:
        return int(moment / TICK_SECONDS)
