"""One place for a child process: started by fork, restarted with back-off, and told by a link."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from entryproxy.process import link
from entryproxy.telemetry.log import log_as

RESTART_SECONDS = 0.1
RESTART_SECONDS_MAX = 5.0
STEADY_SECONDS = 60.0
"""A child that lived this long starts over with the shortest back-off."""

_log = logging.getLogger(__name__)


class Child:
    """A process that should be running.

    main: what it does with its end of the link; it starts with the supervisor's signals blocked, and unblocks them.
    keeps: the sockets that are its own; every other one of the supervisor's is closed in the child.
    pid: 0 while none runs. restart_at: when the next one is due, in seconds of the monotonic clock.
    """

    def __init__(self, name: str, main: Callable[[socket.socket], None], keeps: tuple[socket.socket, ...]) -> None:
        self.name = name
        self.keeps = keeps
        self.pid = 0
        self.link: socket.socket | None = None
        self.restart_at: float | None = None
        self._main = main
        self._started_at = 0.0
        self._back_off_seconds = RESTART_SECONDS

    def start(self, now: float, held: Iterable[socket.socket]) -> bool:
        """Fork; False when the system has no room for a process now, the next try is scheduled then."""
        self.restart_at = None
        self._started_at = now
        try:
            ours, theirs = link.open_pair()
        except OSError as error:
            self._retry(now, error)
            return False
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            self._retry(now, error)
            return False
        if pid == 0:
            self._become(theirs, (ours, *(sock for sock in held if sock not in self.keeps)))
        theirs.close()
        self.pid = pid
        self.link = ours
        _log.info("%s started, pid %d", self.name, pid)
        return True

    def ended(self, status: int, now: float) -> None:
        """The process was reaped with this wait status."""
        _log.log(
            logging.INFO if status == 0 else logging.ERROR, "%s, pid %d, %s", self.name, self.pid, describe(status)
        )
        self.pid = 0
        self.close_link()

    def schedule(self, now: float) -> None:
        """Start again after the back-off."""
        if now - self._started_at >= STEADY_SECONDS:
            self._back_off_seconds = RESTART_SECONDS
        self.restart_at = now + self._back_off_seconds
        self._back_off_seconds = min(2 * self._back_off_seconds, RESTART_SECONDS_MAX)

    def signal(self, number: signal.Signals) -> None:
        """Pass a signal on; nothing while no process runs. Unreaped, the pid can't have become somebody else's."""
        if self.pid:
            os.kill(self.pid, number)

    def close_link(self) -> None:
        """Tell the child to leave, if it is still there."""
        if self.link is not None:
            self.link.close()
            self.link = None

    def _retry(self, now: float, error: OSError) -> None:
        _log.error("%s could not be started: %s", self.name, error)
        self.schedule(now)

    def _become(self, own_link: socket.socket, others: Iterable[socket.socket]) -> NoReturn:
        """The child's side of the fork; nothing of the supervisor's stack may run again here."""
        code = 1
        try:
            log_as(self.name)
            for sock in others:
                sock.close()
            self._main(own_link)
            code = 0
        except BaseException:
            _log.exception("%s failed", self.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def describe(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"was killed by {signal.strsignal(number) or 'signal'} ({number})"
    return f"exited with {os.WEXITSTATUS(status)}"
