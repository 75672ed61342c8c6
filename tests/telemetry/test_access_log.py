from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from entryproxy.telemetry.access_log import AccessLog

PIPE_BUF = 4096


class Pipe:
    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def read_all(self) -> bytes:
        """Everything up to the end of file; our own writing end is closed first."""
        self.close_writing()
        pieces = []
        while piece := os.read(self.reading, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces)

    def close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close_reading(self) -> None:
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close_writing()
    pipe.close_reading()


@pytest.fixture
def lock_fd() -> Iterator[int]:
    fd = os.memfd_create("access-log-lock")
    yield fd
    os.close(fd)


@contextlib.contextmanager
def opened(log: AccessLog) -> Iterator[AccessLog]:
    log.start()
    try:
        yield log
    finally:
        log.close()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def lines(count: int, size: int = 100, mark: str = "x") -> list[bytes]:
    return [f"{mark} {number} ".encode().ljust(size - 1, b".") + b"\n" for number in range(count)]


def test_lines_arrive_in_order(pipe: Pipe, lock_fd: int) -> None:
    written = lines(300)
    with opened(AccessLog(pipe.writing, lock_fd)) as log:
        for line in written:
            log.write(line)
    assert pipe.read_all() == b"".join(written)
    assert log.dropped == 0


def test_a_line_arrives_without_waiting_for_others(pipe: Pipe, lock_fd: int) -> None:
    with opened(AccessLog(pipe.writing, lock_fd)) as log:
        log.write(b"alone\n")
        assert os.read(pipe.reading, 100) == b"alone\n"


def test_a_full_batch_does_not_wait_for_the_interval(pipe: Pipe, lock_fd: int) -> None:
    with opened(AccessLog(pipe.writing, lock_fd, interval_seconds=3600.0, batch_bytes=1000)) as log:
        for line in lines(20):
            log.write(line)
        assert len(os.read(pipe.reading, 100_000)) >= 1000


def test_lines_written_before_the_start_are_kept(pipe: Pipe, lock_fd: int) -> None:
    log = AccessLog(pipe.writing, lock_fd)
    log.write(b"early\n")
    with opened(log):
        assert os.read(pipe.reading, 100) == b"early\n"


@pytest.mark.parametrize("blocking", [True, False])
def test_a_stalled_reader_costs_lines_but_never_blocks(pipe: Pipe, lock_fd: int, blocking: bool) -> None:
    os.set_blocking(pipe.writing, blocking)
    log = AccessLog(pipe.writing, lock_fd, queue_bytes_max=200_000, interval_seconds=0.01, close_seconds=0.2)
    written = lines(10_000)
    log.start()
    for line in written:
        log.write(line)  # would never return if it waited for the reader
    assert log.dropped >= 10_000 - (200_000 + 1_048_576) // 100
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(_read_until_eof(pipe.reading)))
    reader.start()
    wait_for(lambda: log._taken_bytes == log._queued_bytes)
    log.close()
    pipe.close_writing()
    reader.join()
    arrived = received[0].splitlines(keepends=True)
    assert len(arrived) + log.dropped == len(written)
    assert set(arrived) <= set(written)


def _read_until_eof(fd: int) -> bytes:
    pieces = []
    while piece := os.read(fd, 1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("blocking", [True, False])
def test_close_gives_up_on_a_reader_that_never_reads(pipe: Pipe, lock_fd: int, blocking: bool) -> None:
    os.set_blocking(pipe.writing, blocking)
    log = AccessLog(pipe.writing, lock_fd, interval_seconds=0.01, close_seconds=0.1)
    log.start()
    for line in lines(5000):
        log.write(line)
    closer = threading.Thread(target=log.close)
    closer.start()
    closer.join(20)
    assert not closer.is_alive()
    pipe.close_reading()  # lets the writer thread end before its descriptors go
    wait_for(lambda: all(thread.name != "access-log" for thread in threading.enumerate()))


def test_a_reader_that_is_gone_costs_lines_only(pipe: Pipe, lock_fd: int) -> None:
    pipe.close_reading()
    with opened(AccessLog(pipe.writing, lock_fd, interval_seconds=0.005)) as log:
        log.write(b"one\n")
        wait_for(lambda: log.dropped == 1)
        log.write(b"two\n")
        log.write(b"three\n")
        wait_for(lambda: log.dropped == 3)


def test_partial_writes_are_continued(pipe: Pipe, lock_fd: int) -> None:
    os.set_blocking(pipe.writing, False)
    fcntl.fcntl(pipe.writing, fcntl.F_SETPIPE_SZ, PIPE_BUF)
    written = lines(2000, size=333)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(_read_until_eof(pipe.reading)))
    reader.start()
    log = AccessLog(pipe.writing, lock_fd, close_seconds=20.0)
    with opened(log):
        for line in written:
            log.write(line)
    pipe.close_writing()
    reader.join()
    assert received[0] == b"".join(written)
    assert log.dropped == 0


def test_signals_do_not_tear_lines(pipe: Pipe, lock_fd: int) -> None:
    caught = []
    before = signal.signal(signal.SIGALRM, lambda *_: caught.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        with opened(AccessLog(pipe.writing, lock_fd, interval_seconds=0.001)) as log:
            received = b""
            for line in lines(400):
                log.write(line)
                received += os.read(pipe.reading, 100_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught
    assert received + pipe.read_all() == b"".join(lines(400))


def test_a_line_torn_by_a_killed_writer_is_ended_by_the_next(pipe: Pipe, lock_fd: int) -> None:
    os.pwrite(lock_fd, b"!", 0)
    os.write(pipe.writing, b"half a li")
    with opened(AccessLog(pipe.writing, lock_fd)) as log:
        log.write(b"whole\n")
    assert pipe.read_all() == b"half a li\nwhole\n"


def test_nothing_is_written_while_another_process_holds_the_lock(pipe: Pipe, lock_fd: int) -> None:
    holder_ready, release = Pipe(), Pipe()
    child = _fork(lambda: _hold_lock(lock_fd, holder_ready.writing, release.reading))
    os.read(holder_ready.reading, 1)
    with opened(AccessLog(pipe.writing, lock_fd, interval_seconds=0.005)) as log:
        log.write(b"late\n")
        wait_for(lambda: not log._lines)  # the thread has taken the line and stands before the lock
        os.set_blocking(pipe.reading, False)
        with pytest.raises(BlockingIOError):
            os.read(pipe.reading, 10)
        os.write(release.writing, b"x")
        _reap(child)
        os.set_blocking(pipe.reading, True)
        assert os.read(pipe.reading, 10) == b"late\n"
    for one in (holder_ready, release):
        one.close_reading()
        one.close_writing()


def _hold_lock(lock_fd: int, ready: int, release: int) -> None:
    fcntl.lockf(lock_fd, fcntl.LOCK_EX)
    os.write(ready, b"x")
    os.read(release, 1)


def test_lines_of_several_processes_never_interleave(pipe: Pipe, lock_fd: int) -> None:
    def work(mark: str) -> None:
        os.close(pipe.reading)
        log = AccessLog(pipe.writing, lock_fd, batch_bytes=20_000, interval_seconds=0.001, close_seconds=60.0)
        with opened(log):
            for line in lines(3000, size=700, mark=mark):
                log.write(line)

    def start(mark: str) -> int:
        return _fork(lambda: work(mark))

    children = [start(mark) for mark in "abc"]
    received = pipe.read_all().splitlines(keepends=True)
    for child in children:
        _reap(child)
    for mark in "abc":
        assert [one for one in received if one.startswith(mark.encode())] == lines(3000, size=700, mark=mark)
    assert len(received) == 9000


def _fork(work: Callable[[], None]) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        signal.alarm(60)  # a child outlives no failure of its test
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def _reap(pid: int) -> None:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
