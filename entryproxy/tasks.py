"""The only caller of asyncio's create_task: a task has a name, is kept until it ends, and never fails in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Start `work` as a named task that the garbage collector can't take; an exception that nobody awaits is logged."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def run_together(*work: Coroutine[Any, Any, Any]) -> None:
    """Until the first of them ends, or fails, which is raised; the others are ended then, and waited for."""
    started = [spawn(one, getattr(one, "__qualname__", "work")) for one in work]
    try:
        done, _ = await asyncio.wait(started, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            await one
    finally:
        for one in started:
            one.cancel()
        await asyncio.gather(*started, return_exceptions=True)


async def cancel_all() -> None:
    """Cancel every task started here and wait for it, for a clean end of the loop."""
    current = asyncio.current_task()
    pending = [task for task in _running if task is not current]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("task %s failed", task.get_name(), exc_info=error)
