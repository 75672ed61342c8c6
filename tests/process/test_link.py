from __future__ import annotations

import socket

import pytest

from entryproxy.process import link


def test_a_channel_arrives_with_its_slot() -> None:
    ours, theirs = link.open_pair()
    near, far = socket.socketpair()
    with ours, theirs, near:
        with far:
            assert link.send_channel(ours, 12, far)
        received = link.receive_channel(theirs)
        assert received is not None
        slot, channel = received
        with channel:
            assert slot == 12
            near.sendall(b"hello")
            assert channel.recv(10) == b"hello"


def test_nothing_there_is_not_the_end() -> None:
    ours, theirs = link.open_pair()
    with theirs:
        with ours, pytest.raises(BlockingIOError):
            link.receive_channel(theirs)
        assert link.receive_channel(theirs) is None


def test_what_was_sent_before_the_end_still_arrives() -> None:
    ours, theirs = link.open_pair()
    near, far = socket.socketpair()
    with theirs, near, far:
        with ours:
            link.send_channel(ours, 0, far)
            link.send_channel(ours, 1, far)
        slots = []
        while received := link.receive_channel(theirs):
            slots.append(received[0])
            received[1].close()
        assert slots == [0, 1]


def test_a_dead_child_takes_nothing() -> None:
    ours, theirs = link.open_pair()
    theirs.close()
    near, far = socket.socketpair()
    with ours, near, far:
        assert not link.send_channel(ours, 0, far)
