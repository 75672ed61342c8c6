"""One child process: in its own session, with a hard deadline, and gone with all that it started when `run` ends.

asyncio's own subprocesses aren't used: they reap the child as soon as it ends, so a signal to its group afterwards may
meet strangers, and in some versions waiting for a child waits for whoever inherited its pipes. A process descriptor
(Linux 5.3) tells the end without reaping, on every event loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from entryproxy.tasks import spawn

GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""
OUTPUT_BYTES_MAX = 16 * 2**20
"""Kept of standard output, and as much of standard error; the rest is read and dropped."""
_DRAIN_SECONDS = 1.0
"""For output that is still in the pipes once the whole group has ended."""
_READ_BYTES = 2**16
_LEASH = str(Path(__file__).with_name("leash.py"))


@dataclasses.dataclass(frozen=True, slots=True)
class Completed:
    """How a child ended. returncode: negative for the signal that ended it. is_timed_out: it was told to end, at its
    deadline. What it printed is not in the `repr`: it may hold Secrets."""

    returncode: int
    stdout: bytes = dataclasses.field(repr=False)
    stderr: bytes = dataclasses.field(repr=False)
    is_timed_out: bool


async def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    deadline_seconds: float,
    grace_seconds: float = GRACE_SECONDS,
    output_bytes_max: int = OUTPUT_BYTES_MAX,
) -> Completed:
    """Run a program to its end. argv[0]: its path. Raises OSError if no process can be made.

    At the deadline, and when the awaiting task is cancelled, its process group gets SIGTERM and, `grace_seconds`
    later, SIGKILL; a second cancellation skips the grace. Call it in a thread that lives as long as the process: the
    child is killed when the thread ends that started it.
    """
    child = _Child(argv, env, output_bytes_max)
    try:
        is_timed_out = not await child.has_ended_within(deadline_seconds)
    finally:
        await child.end(grace_seconds)
    return Completed(child.returncode, bytes(child.stdout.kept), bytes(child.stderr.kept), is_timed_out)


class _Output:
    """Reads a pipe to its end and keeps the beginning."""

    def __init__(self, pipe: IO[bytes] | None, bytes_max: int) -> None:
        assert pipe is not None
        self.kept = bytearray()
        self._pipe = pipe
        self._bytes_max = bytes_max
        self._closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._on_data)

    async def finish(self) -> None:
        """Take what is still in the pipe; somebody who left the group might keep it open for ever."""
        await _is_set_within(self._closed, _DRAIN_SECONDS)
        if not self._closed.is_set():
            self._close()

    def _on_data(self) -> None:
        data = self._pipe.read(_READ_BYTES)
        if data:
            self.kept += data[: self._bytes_max - len(self.kept)]
        elif data is not None:  # None: it would block
            self._close()

    def _close(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()
        self._closed.set()


class _Child:
    """A running child and its group. Unreaped until all of the group has ended, it keeps the group's number taken."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], output_bytes_max: int) -> None:
        self._process = _start(argv, env)
        try:
            self._ended = asyncio.Event()
            self._loop = asyncio.get_running_loop()
            self._descriptor = os.pidfd_open(self._process.pid)
            self._loop.add_reader(self._descriptor, self._on_end)
            self.stdout = _Output(self._process.stdout, output_bytes_max)
            self.stderr = _Output(self._process.stderr, output_bytes_max)
        except BaseException:  # the process may have no more descriptors
            self._signal(signal.SIGKILL)
            self._process.wait()
            raise

    @property
    def returncode(self) -> int:
        """Once it has ended; asking reaps it."""
        return self._process.wait()

    async def has_ended_within(self, seconds: float) -> bool:
        return await _is_set_within(self._ended, seconds)

    async def end(self, grace_seconds: float) -> None:
        """Returns once the child is reaped and nothing of its group runs, also when cancelled; whoever cancels again
        after SIGKILL leaves the reaping to a task."""
        try:
            if not self._ended.is_set():
                self._signal(signal.SIGTERM)
                await self.has_ended_within(grace_seconds)
        finally:
            self._signal(signal.SIGKILL)  # whatever it left behind, too
            await asyncio.shield(spawn(self._reap(), f"reap {self._process.pid}"))

    async def _reap(self) -> None:
        await self._ended.wait()
        self._process.wait()  # which is at once
        await self.stdout.finish()
        await self.stderr.finish()

    def _on_end(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._ended.set()

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)


def _start(argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    leashed = [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *argv]
    return subprocess.Popen(  # noqa: S603 – arguments are ours, there is no shell
        leashed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=True,
        bufsize=0,
    )


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    return event.is_set()
