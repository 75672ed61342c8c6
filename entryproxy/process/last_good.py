"""The last good configuration on disk, so that a pod which starts while the API server is away serves at once.

The file holds private keys: it is made with mode 0600 in a folder that should be memory (an `emptyDir` with `medium:
Memory` in the chart), written beside and renamed, so that there is always a whole one. It is a row of frames: a header,
then the snapshot as changes of a few tenants each, which keeps the loop free between them.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from entryproxy.model import codec
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.process.channel import FrameError, FrameReader, frame
from entryproxy.tasks import spawn

FILE_NAME = "last-good"
FORMAT = 1
WRITE_SECONDS_MIN = 5.0
"""How long the file may lag behind a change: changes come in thousands, and a write costs as much as all tenants."""
TENANTS_PER_FRAME = 128
FILE_BYTES_MAX = 2**30

_log = logging.getLogger(__name__)


class LastGoodError(Exception):
    """There is a file, and it can't be used."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """written_at: Unix seconds. tenants: how many follow, so that a file cut short shows."""

    format: int
    written_at: float
    tenants: int


_header_decoder = codec.decoder_of(Header)
_change_decoder = codec.decoder_of(Change)


def frames_of(snapshot: Snapshot, written_at: float) -> Iterator[bytes]:
    """The file, piece by piece."""
    yield frame(codec.encode(Header(format=FORMAT, written_at=written_at, tenants=len(snapshot.tenants))))
    tenants = iter(snapshot.tenants.values())
    yield frame(codec.encode(Change(generation=0, whole=True, platform=snapshot.platform)))
    while part := tuple(itertools.islice(tenants, TENANTS_PER_FRAME)):
        yield frame(codec.encode(Change(generation=0, tenants=part)))


def parse(content: bytes, generation: int) -> tuple[Snapshot, float]:
    """The snapshot, and when it was written in Unix seconds; raises LastGoodError."""
    try:
        frames = iter(FrameReader(FILE_BYTES_MAX).feed(content))
        header = _header_decoder.decode(next(frames, b""))
        changes = [_change_decoder.decode(payload) for payload in frames]
    except (FrameError, msgspec.MsgspecError) as error:
        raise LastGoodError(f"not a last good configuration ({error})") from None
    tenants = tuple(tenant for change in changes for tenant in change.tenants)
    platform = changes[0].platform if changes else None
    if header.format != FORMAT or platform is None or len(tenants) != header.tenants:
        raise LastGoodError("written by another version, or cut short")
    return Snapshot.build(platform, tenants, generation), header.written_at


def read(folder: Path, generation: int) -> tuple[Snapshot, float] | None:
    """What an earlier process wrote there, None when there is nothing; raises LastGoodError.

    Anybody who can write this file can have any key served, so one that isn't ours alone is refused.
    """
    try:
        with open(os.open(folder / FILE_NAME, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - a descriptor
            status = os.fstat(file.fileno())
            if status.st_mode & 0o077 or status.st_uid != os.geteuid():
                raise LastGoodError("others than its owner may read or write it")
            if status.st_size > FILE_BYTES_MAX:
                raise LastGoodError("too large")
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LastGoodError(error.strerror or "unreadable") from None
    return parse(content, generation)


class LastGoodFile:
    """Keeps the file up to date, in the background."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._newest: Snapshot | None = None
        self._changed = asyncio.Event()
        self.error = ""  # why the last write failed

    def start(self) -> None:
        """Write what `keep` is told from now on."""
        spawn(self._follow(), "write the last good configuration")

    def keep(self, snapshot: Snapshot) -> None:
        """This is in force now."""
        self._newest = snapshot
        self._changed.set()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._newest is not None:
                await self._write(self._newest)
            await asyncio.sleep(WRITE_SECONDS_MIN)

    async def _write(self, snapshot: Snapshot) -> None:
        try:
            await write(self._folder, snapshot, self._clock())
        except OSError as error:
            if not self.error:
                _log.error("the last good configuration was not written to %s: %s", self._folder, error.strerror)
            self.error = error.strerror or "unwritable"
        else:
            self.error = ""


async def write(folder: Path, snapshot: Snapshot, written_at: float) -> None:
    """Replace the file in one step; raises OSError."""
    beside = folder / f".{FILE_NAME}.{os.getpid()}"
    try:
        with _create(beside) as file:
            for piece in frames_of(snapshot, written_at):
                file.write(piece)
                await asyncio.sleep(0)
        beside.replace(folder / FILE_NAME)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _create(path: Path) -> BinaryIO:
    """Made anew, so that its mode is ours whatever was there."""
    path.unlink(missing_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")  # noqa: PTH123
