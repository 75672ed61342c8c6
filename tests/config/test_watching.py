from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from entryproxy.config.watching import watch_folder


@asynccontextmanager
async def watching(path: Path) -> AsyncGenerator[asyncio.Event, None]:
    changed = asyncio.Event()
    task = asyncio.get_running_loop().create_task(watch_folder(path, changed))
    try:
        yield changed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def noticed(changed: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await changed.wait()
    changed.clear()


async def test_writes_renames_and_removals_are_noticed(tmp_path: Path) -> None:
    async with watching(tmp_path) as changed:
        await noticed(changed)  # the beginning
        (tmp_path / ".a.new").write_text("x")
        await noticed(changed)
        (tmp_path / ".a.new").rename(tmp_path / "a.yaml")
        await noticed(changed)
        (tmp_path / "a.yaml").unlink()
        await noticed(changed)


async def test_a_folder_that_comes_goes_and_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    async with watching(folder) as changed:
        await noticed(changed)
        folder.mkdir()
        await noticed(changed)
        folder.rename(tmp_path / "away")
        await noticed(changed)
        folder.mkdir()
        await noticed(changed)
        changed.clear()
        (folder / "a.yaml").write_text("x")
        await noticed(changed)
