"""The access log's way out: lines queued by the event loop, written by a thread of their own.

`write` only appends, so a slow or stalled reader of stdout costs log lines (counted), never a request. All workers of a
pod share one stdout, mostly a pipe, where only writes up to PIPE_BUF are atomic (pipe(7)); a lock around each batch
keeps lines whole.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
import time
from collections import deque

QUEUE_BYTES_MAX = 8 * 1024 * 1024
BATCH_BYTES = 512 * 1024  # every batch takes the interpreter's lock from the event loop: rather few and large
INTERVAL_SECONDS = 0.1
CLOSE_SECONDS = 2.0


class AccessLog:
    """Writes lines to `fd` in batches of about `batch_bytes`, or whatever there is after `interval_seconds`.

    fd: where lines go; blocking or not, its flags are left alone because other processes share them.
    lock_fd: a file that all writers to `fd` share, open for reading and writing. It is locked around each batch (POSIX
    record locks, so each writer is a process of its own), and its first byte says whether a writer broke off in a line.
    queue_bytes_max: what may wait; further lines are dropped until the reader catches up.
    close_seconds: how long `close` waits for a stalled reader.
    """

    __slots__ = (
        "_batch_bytes",
        "_close_seconds",
        "_closing_at",
        "_fd",
        "_interval_seconds",
        "_lines",
        "_lock_fd",
        "_lost",
        "_queue_bytes_max",
        "_queued_bytes",
        "_refused",
        "_taken_bytes",
        "_thread",
        "_wake",
    )

    def __init__(
        self,
        fd: int,
        lock_fd: int,
        *,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        batch_bytes: int = BATCH_BYTES,
        interval_seconds: float = INTERVAL_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._fd = fd
        self._lock_fd = lock_fd
        self._queue_bytes_max = queue_bytes_max
        self._batch_bytes = batch_bytes
        self._interval_seconds = interval_seconds
        self._close_seconds = close_seconds
        # Both sides: a deque's append and popleft are atomic.
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        # Written by the event loop only; the difference of the two byte counts is what waits.
        self._queued_bytes = 0
        self._refused = 0
        self._closing_at: float | None = None
        self._thread: threading.Thread | None = None
        # Written by the thread only.
        self._taken_bytes = 0
        self._lost = 0

    # -- the event loop's side

    @property
    def dropped(self) -> int:
        """Lines that never reached the reader: refused by the full queue, or lost to an error while writing."""
        return self._refused + self._lost

    def write(self, lines: bytes) -> None:
        """Queue one or more lines, each ending with b"\\n". Never blocks."""
        queued = self._queued_bytes + len(lines)
        waiting = queued - self._taken_bytes
        if waiting > self._queue_bytes_max:
            self._refused += lines.count(b"\n")
            return
        self._queued_bytes = queued
        self._lines.append(lines)
        if waiting > self._batch_bytes and not self._wake.is_set():
            self._wake.set()

    def start(self) -> None:
        """Start the writer thread. Only after forking: threads don't survive a fork."""
        # A daemon, because a reader that stalls for good must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, for at most `close_seconds`; what a stalled reader doesn't take by then is lost."""
        if self._thread is None:
            return
        self._closing_at = time.monotonic() + self._close_seconds
        self._wake.set()
        self._thread.join(self._close_seconds)
        self._thread = None

    # -- the thread's side

    def _run(self) -> None:
        while self._closing_at is None:
            self._wake.wait(self._interval_seconds)
            self._wake.clear()
            self._write_queued()
        self._write_queued()

    def _write_queued(self) -> None:
        while lines := self._take_batch():
            batch = b"".join(lines)
            try:
                written = self._write_locked(batch)
            except OSError:  # the reader is gone (EPIPE), the disk is full, …: later lines may fare better
                written = 0
            if written < len(batch):
                self._lost += batch.count(b"\n", written)
            self._taken_bytes += len(batch)

    def _take_batch(self) -> list[bytes]:
        lines: list[bytes] = []
        pop, size, enough = self._lines.popleft, 0, self._batch_bytes
        while size < enough:
            try:
                line = pop()
            except IndexError:
                break
            size += len(line)
            lines.append(line)
        return lines

    def _write_locked(self, batch: bytes) -> int:
        """Write `batch` with the other processes kept out; returns how many of its bytes went out before an error."""
        fcntl.lockf(self._lock_fd, fcntl.LOCK_EX)
        try:
            if os.pread(self._lock_fd, 1, 0) == b"!":
                self._write_some(b"\n")  # a writer broke off within its line: it must not spoil ours
            os.pwrite(self._lock_fd, b"!", 0)
            written = self._write_some(batch)
            if written == len(batch) or batch[:written].endswith(b"\n"):
                os.pwrite(self._lock_fd, b".", 0)
            return written
        finally:
            fcntl.lockf(self._lock_fd, fcntl.LOCK_UN)

    def _write_some(self, data: bytes) -> int:
        """Write `data` until an error or the end of closing time; returns how many bytes went out."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if not self._wait_writable():
                    break
            except OSError:
                break
        return len(data) - len(rest)

    def _wait_writable(self) -> bool:
        """Wait until a non-blocking `fd` takes more; False when closing time has run out."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while self._closing_at is None or time.monotonic() < self._closing_at:
            if poll.poll(int(self._interval_seconds * 1000)):
                return True
        return False
