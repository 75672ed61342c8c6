"""A reflector at work, without its waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from entryproxy.config.kubernetes.reflector import Reflector, Timing
from entryproxy.config.kubernetes.resources import Resource
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.tasks import spawn

A_MOMENT_SECONDS = 0.002


class Following:
    """waits: how long it wanted to wait each time. names: of the objects it knows."""

    def __init__(self, resource: Resource) -> None:
        self.waits: list[float] = []
        self.offset = 0.0  # of the clocks
        self.notices = 0
        timing = Timing(
            clock=lambda: time.monotonic() + self.offset,
            wall=lambda: time.time() + self.offset,
            random=lambda: 0.0,
            sleep=self._sleep,
        )
        self.reflector = Reflector(resource, self._notice, timing)
        self.names: dict[str, str] = {}

    async def until(self, condition: Callable[[], object]) -> None:
        """Poll, also what changed."""
        async with asyncio.timeout(20):
            while True:
                for reference, one in self.reflector.store.take_changes().items():
                    if one is None:
                        self.names.pop(reference.rpartition("/")[2], None)
                    else:
                        self.names[one.name] = one.version
                if condition():
                    return
                await asyncio.sleep(A_MOMENT_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.offset += seconds
        await asyncio.sleep(A_MOMENT_SECONDS)

    def _notice(self) -> None:
        self.notices += 1


@asynccontextmanager
async def following(resource: Resource, client: ClusterClient) -> AsyncIterator[Following]:
    """The reflector runs as long as the block."""
    one = Following(resource)
    task = spawn(one.reflector.run(client), "reflector")
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
