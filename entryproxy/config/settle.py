"""Waiting for changes to settle: act when it has been quiet for a moment, but never put it off for long.

A change of configuration comes as a burst (an editor writes and renames, a controller touches three objects). One
compilation per burst is enough, and a source that never rests must not starve the workers of its changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable


class Settle:
    """The decision, without a clock: `quiet` seconds after the latest notice, at most `longest` after the first."""

    __slots__ = ("_first", "_latest", "longest", "quiet")

    def __init__(self, quiet: float, longest: float) -> None:
        self.quiet = quiet
        self.longest = longest
        self._first: float | None = None
        self._latest = 0.0

    def notice(self, now: float) -> None:
        """Something changed at `now`."""
        if self._first is None:
            self._first = now
        self._latest = now

    def due(self) -> float | None:
        """When to act, None while nothing has changed."""
        return None if self._first is None else min(self._latest + self.quiet, self._first + self.longest)

    def clear(self) -> float:
        """What has been noticed is being acted on; when the first of it was."""
        first, self._first = self._first, None
        return self._latest if first is None else first


async def settled(
    changed: asyncio.Event,
    settle: Settle,
    clock: Callable[[], float],
    wait: Callable[[asyncio.Event, float], Awaitable[bool]] | None = None,
) -> AsyncGenerator[float, None]:
    """One tick per settled burst of `changed` being set: the time at which that was noticed first; runs for ever.

    clock: seconds, monotonic. wait: waits for the event at most so many seconds, True when it came.
    """
    wait = wait or wait_for_event
    while True:
        await changed.wait()
        while changed.is_set():
            changed.clear()
            settle.notice(clock())
            while (due := settle.due()) is not None and (left := due - clock()) > 0:
                if await wait(changed, left):
                    break
        yield settle.clear()


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
