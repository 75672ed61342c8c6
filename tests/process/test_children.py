from __future__ import annotations

import os
import signal
import socket

import pytest

from entryproxy.process import children, link
from entryproxy.process.children import Child, describe


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    """One whose every start fails, so that nothing is forked."""

    def no_fork() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_fork)
    return Child("worker-0", lambda _: None, ())


def test_restarts_back_off_up_to_a_limit(child: Child) -> None:
    delays = []
    for _ in range(8):
        assert not child.start(100.0, [])
        assert child.restart_at is not None
        delays.append(round(child.restart_at - 100.0, 3))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert child.pid == 0
    assert child.link is None


def test_a_steady_life_forgives_earlier_failures(child: Child) -> None:
    for _ in range(5):
        child.start(100.0, [])
    child.schedule(100.0 + children.STEADY_SECONDS)
    assert child.restart_at == pytest.approx(100.0 + children.STEADY_SECONDS + children.RESTART_SECONDS)


def test_a_child_that_does_not_run_ignores_signals(child: Child) -> None:
    child.signal(signal.SIGKILL)  # would be fatal if it reached pid 0, our own process group
    child.close_link()


def test_a_failed_start_leaves_no_descriptor(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    def remember() -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        opened.extend(pair)
        return pair

    monkeypatch.setattr(link, "open_pair", remember)
    with socket.socket() as held:
        child.start(0.0, [held])
        assert held.fileno() != -1
    assert [sock.fileno() for sock in opened] == [-1, -1]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with 0"),
        (3 << 8, "exited with 3"),
        (9, "was killed by Killed (9)"),
        (15, "was killed by Terminated (15)"),
    ],
)
def test_ends_in_words(status: int, words: str) -> None:
    assert describe(status) == words
