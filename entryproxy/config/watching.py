"""Watching a folder, through its absence and replacement; the only user of watchfiles."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from pathlib import Path

from watchfiles import awatch

STEP_MILLISECONDS = 5
DEBOUNCE_MILLISECONDS = 20
LOOK_MILLISECONDS = 1_000
"""How often to look whether the path still leads to the folder that is watched."""

_log = logging.getLogger(__name__)


async def watch_folder(path: Path, changed: asyncio.Event) -> None:
    """Set `changed` whenever something in the folder changed or the folder came, went or was replaced; runs for
    ever."""
    was_there = True
    while True:
        identity = _identity(path)
        if identity is not None or was_there:
            changed.set()
        was_there = identity is not None
        if identity is None:
            await asyncio.sleep(LOOK_MILLISECONDS / 1_000)
            continue
        try:
            await _watch_one(path, identity, changed)
        except (OSError, RuntimeError) as problem:
            _log.warning("watching %s failed, starting again: %s", path, problem)
            await asyncio.sleep(LOOK_MILLISECONDS / 1_000)


async def _watch_one(path: Path, identity: tuple[int, int], changed: asyncio.Event) -> None:
    """Until the path leads elsewhere. Symbolic links inside are followed when loading, so their own change is all we
    need."""
    changes = awatch(
        path,
        watch_filter=None,
        step=STEP_MILLISECONDS,
        debounce=DEBOUNCE_MILLISECONDS,
        rust_timeout=LOOK_MILLISECONDS,
        yield_on_timeout=True,
        recursive=False,
    )
    async with aclosing(changes):
        async for found in changes:
            if found:
                changed.set()
            if _identity(path) != identity:
                return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
