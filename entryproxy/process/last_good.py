"""The last good configuration on disk, so that a pod which starts while the API server is away serves at once.

The file holds private keys: it is made with mode 0600 in a folder that should be memory (an `emptyDir` with `medium:
Memory` in the chart), written beside and renamed, so that there is always a whole one. It is a row of frames: a header,
then the snapshot as changes of a few tenants each, which keeps the loop free between them.

Its modification time is when it last agreed with the source: a calm cluster writes nothing for days and is not stale.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from entryproxy.config.settle import wait_for_event
from entryproxy.model import codec
from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.times import rfc3339
from entryproxy.process.channel import FrameError, FrameReader, frame
from entryproxy.tasks import spawn

FILE_NAME = "last-good"
FORMAT = 1
WRITE_SECONDS_MIN = 5.0
"""How long the file may lag behind a change: changes come in thousands, and a write costs as much as all tenants."""
TOUCH_SECONDS = 60.0
"""How far the file's time may be behind while nothing changes."""
TENANTS_PER_FRAME = 128
FILE_BYTES_MAX = 2**30
_READ_BYTES = 2**20

_log = logging.getLogger(__name__)


class LastGoodError(Exception):
    """There is a file, and it can't be used."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """tenants: how many follow, so that a file cut short shows."""

    format: int
    tenants: int


_header_decoder = codec.decoder_of(Header)
_change_decoder = codec.decoder_of(Change)


def frames_of(snapshot: Snapshot) -> Iterator[bytes]:
    """The file, piece by piece."""
    yield frame(codec.encode(Header(format=FORMAT, tenants=len(snapshot.tenants))))
    tenants = iter(snapshot.tenants.values())
    yield frame(codec.encode(Change(generation=0, whole=True, platform=snapshot.platform)))
    while part := tuple(itertools.islice(tenants, TENANTS_PER_FRAME)):
        yield frame(codec.encode(Change(generation=0, tenants=part)))


def parse(pieces: Iterable[bytes], generation: int) -> Snapshot:
    """The snapshot in a file's content, wherever that is torn; raises LastGoodError."""
    reader = FrameReader(FILE_BYTES_MAX)
    try:
        frames = (payload for piece in pieces for payload in reader.feed(piece))
        header = _header_decoder.decode(next(frames, b""))
        changes = [_change_decoder.decode(payload) for payload in frames]
    except (FrameError, msgspec.MsgspecError) as error:
        raise LastGoodError(f"not a last good configuration ({error})") from None
    tenants = tuple(tenant for change in changes for tenant in change.tenants)
    platform = changes[0].platform if changes else None
    if header.format != FORMAT or platform is None or len(tenants) != header.tenants:
        raise LastGoodError("written by another version, or cut short")
    return Snapshot.build(platform, tenants, generation)


def read(folder: Path, generation: int) -> tuple[Snapshot, float] | None:
    """What an earlier process wrote there, and when that last agreed with the source in Unix seconds; None when there
    is nothing. Raises LastGoodError.

    Anybody who can write this file can have any key served, so one that isn't ours alone is refused.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe there must not hold up the start
    try:
        with open(os.open(folder / FILE_NAME, flags), "rb") as file:  # noqa: PTH123 - a descriptor
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LastGoodError("not a file")
            if status.st_mode & 0o077 or status.st_uid != os.geteuid():
                raise LastGoodError("others than its owner may read or write it")
            if status.st_size > FILE_BYTES_MAX:
                raise LastGoodError("too large")
            return parse(iter(lambda: file.read(_READ_BYTES), b""), generation), status.st_mtime
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LastGoodError(error.strerror or "unreadable") from None


class LastGoodFile:
    """Keeps the file up to date, in the background.

    problem: why the last write failed, None when it didn't.
    """

    def __init__(self, folder: Path, agreed_at: Callable[[], float | None]) -> None:
        """agreed_at: when what is in force last agreed with the source, in Unix seconds; None, and nothing is written,
        as long as that is unknown."""
        self.problem: Finding | None = None
        self._folder = folder
        self._agreed_at = agreed_at
        self._newest: Snapshot | None = None
        self._is_written = False
        self._changed = asyncio.Event()

    def read(self) -> tuple[Snapshot, float] | None:
        """As `read`; a file that can't be used is as good as none."""
        try:
            found = read(self._folder, generation=0)
        except LastGoodError as error:
            _log.error("the last good configuration in %s is not used: %s", self._folder, error)
            return None
        if found is not None:
            _log.warning("serving the last good configuration of %s until the source has been read", rfc3339(found[1]))
        return found

    def start(self) -> None:
        """Write what `keep` is told from now on."""
        spawn(self._follow(), "write the last good configuration")

    def keep(self, snapshot: Snapshot) -> None:
        """This is in force now."""
        if snapshot is not self._newest:
            self._newest = snapshot
            self._changed.set()

    async def _follow(self) -> None:
        while True:
            is_changed = await wait_for_event(self._changed, TOUCH_SECONDS)
            self._changed.clear()
            agreed_at = self._agreed_at()
            if self._newest is None or agreed_at is None:
                continue
            try:
                if is_changed or not self._is_written:
                    await write(self._folder, self._newest, agreed_at)
                    self._is_written = True
                else:
                    os.utime(self._folder / FILE_NAME, (agreed_at, agreed_at))
            except Exception as error:  # whatever it is, nobody may be without a configuration because of it
                self._fail(error)
            else:
                self.problem = None
            await asyncio.sleep(WRITE_SECONDS_MIN)

    def _fail(self, error: Exception) -> None:
        """It may go better next time."""
        self._is_written = False
        self._changed.set()
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        if self.problem is None:
            expected = isinstance(error, OSError)
            text = "the last good configuration was not written to %s: %s"
            _log.error(text, self._folder, why, exc_info=None if expected else error)
        self.problem = Finding(
            severity="warning",
            reason="StateNotKept",
            object=f"Folder {self._folder}",
            field="",
            message=f"{why}; a container that starts while the source is away has nothing, or something old, to serve",
        )


async def write(folder: Path, snapshot: Snapshot, agreed_at: float) -> None:
    """Replace the file in one step; raises OSError. What a process left that was killed meanwhile is overwritten."""
    beside = folder / f".{FILE_NAME}.partial"
    try:
        with _create(beside) as file:
            for piece in frames_of(snapshot):
                file.write(piece)
                await asyncio.sleep(0)
            file.flush()
            os.utime(file.fileno(), (agreed_at, agreed_at))
        beside.replace(folder / FILE_NAME)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _create(path: Path) -> BinaryIO:
    """Made anew, so that its mode is ours whatever was there, and whatever the umask."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return open(descriptor, "wb")  # noqa: PTH123
