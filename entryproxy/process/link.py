"""The link from the supervisor to one child: short messages with one file descriptor each.

A SOCK_SEQPACKET pair keeps messages whole and gives end-of-file when the other side dies, however it dies: a child
whose link ends knows that nobody will restart or stop it any more, and leaves.
"""

from __future__ import annotations

import socket

_MESSAGE_BYTES_MAX = 64


def open_pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end and the child's end, both non-blocking."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def send_channel(link: socket.socket, slot: int, channel: socket.socket) -> bool:
    """Hand one end of the channel of worker `slot` to a child; False when the child can't take it (dead or stuck)."""
    try:
        socket.send_fds(link, [str(slot).encode()], [channel.fileno()])
    except OSError:
        return False
    return True


def receive_channel(link: socket.socket) -> tuple[int, socket.socket] | None:
    """The next channel as (worker slot, socket); None at the end of the link; BlockingIOError when nothing is there."""
    message, descriptors, _, _ = socket.recv_fds(link, _MESSAGE_BYTES_MAX, 1)
    if not message:
        return None
    return int(message), socket.socket(fileno=descriptors[0])
