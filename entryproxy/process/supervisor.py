"""The supervisor: opens the sockets, forks the children, replaces those that die, and ends the pod in order.

It has no event loop and no threads, so that forking stays safe at any time, and it touches no connection. All its
signals are blocked; it takes them one at a time from `sigtimedwait`.
"""

from __future__ import annotations

import functools
import gc
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Callable

from entryproxy.listening import address_of
from entryproxy.process import link
from entryproxy.process.children import Child
from entryproxy.process.sockets import WorkerSockets
from entryproxy.settings import ServeSettings

GRACE_SECONDS = 5.0
"""What a child gets on top of its own deadlines before it is killed."""

_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
_log = logging.getLogger(__name__)

WorkerMain = Callable[[int, WorkerSockets, socket.socket], None]
"""(slot, its listening sockets, its end of the link): what a worker process does."""

ControlMain = Callable[[socket.socket, socket.socket], None]
"""(admin socket, its end of the link): what the control process does."""


class Supervisor:
    """The life of one pod."""

    def __init__(
        self,
        settings: ServeSettings,
        sockets: list[WorkerSockets],
        admin: socket.socket,
        worker_main: WorkerMain,
        control_main: ControlMain,
    ) -> None:
        self._settings = settings
        self._sockets = sockets
        self._admin = admin
        self._control = Child("control", functools.partial(control_main, admin), (admin,))
        self._workers = [
            Child(
                f"worker-{slot}",
                functools.partial(worker_main, slot, pair),
                (pair.https, pair.http),
            )
            for slot, pair in enumerate(sockets)
        ]
        self._draining = False
        self._kill_at: float | None = None
        self._killed = False

    def run(self) -> int:
        """Serve until told to stop. 0 when everything ended in order, 1 when something had to be killed."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where a parent had it ignored, nothing could be waited for
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        first = self._sockets[0]
        _log.info(
            "listening https=%s http=%s admin=%s",
            *(address_of(first.https), address_of(first.http), address_of(self._admin)),
        )
        gc.freeze()  # children need not walk what they inherit, and so keep sharing its pages
        for child in self._children():
            self._start(child)
        while any(child.pid for child in self._children()) or not self._draining:
            received = signal.sigtimedwait(_SIGNALS, self._seconds_to_wait())
            if received is not None:
                self._handle(signal.Signals(received.si_signo))
            self._reap()
            self._keep_time()
        self._admin.close()
        _log.info("stopped")
        return 1 if self._killed else 0

    # -- signals

    def _handle(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            self._control.signal(signal.SIGHUP)
        elif number in (signal.SIGTERM, signal.SIGINT):
            if self._draining:
                _log.warning("%s again, killing what is left", number.name)
                self._kill_all()
            else:
                _log.info("%s, draining", number.name)
                self._drain()

    def _drain(self) -> None:
        """Readiness fails at once, workers stop accepting when their delay is over.

        The supervisor lets go of the listening sockets now: the last to close one must be the worker, which accepts
        what is queued first. Nobody is restarted from here on, so nobody needs the copies.
        """
        self._draining = True
        for child in self._children():
            child.restart_at = None
            child.signal(signal.SIGTERM)
        for pair in self._sockets:
            pair.close()
        settings = self._settings
        self._kill_at = time.monotonic() + settings.drain_delay_seconds + settings.drain_timeout_seconds + GRACE_SECONDS
        self._dismiss_control()

    def _dismiss_control(self) -> None:
        """End the control process once no worker is left to count for."""
        if self._draining and self._control.link is not None and not any(worker.pid for worker in self._workers):
            self._control.close_link()
            self._kill_at = min(self._kill_at or math.inf, time.monotonic() + GRACE_SECONDS)

    def _kill_all(self) -> None:
        self._kill_at = None
        self._killed = True
        for child in self._children():
            child.signal(signal.SIGKILL)

    # -- children

    def _children(self) -> tuple[Child, ...]:
        return (self._control, *self._workers)

    def _start(self, child: Child) -> None:
        if child.start(time.monotonic(), self._held()):
            slots = range(len(self._workers)) if child is self._control else [self._workers.index(child)]
            for slot in slots:
                self._introduce(slot)

    def _held(self) -> list[socket.socket]:
        """Every socket of the supervisor's: a child must not keep what isn't its own alive."""
        listening = [sock for pair in self._sockets for sock in (pair.https, pair.http)]
        links = [child.link for child in self._children() if child.link is not None]
        return [*listening, *links, self._admin]

    def _introduce(self, slot: int) -> None:
        """Give the control process and a worker the two ends of a fresh channel, when both are there."""
        worker = self._workers[slot]
        if self._control.link is None or worker.link is None:
            return
        control_end, worker_end = socket.socketpair()
        with control_end, worker_end:
            sent = link.send_channel(worker.link, slot, worker_end)
            if not (link.send_channel(self._control.link, slot, control_end) and sent):
                # A child that has just died and is reaped next; its successor gets a fresh pair.
                _log.warning("no channel between control and %s", worker.name)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children():
                if child.pid == pid:
                    self._bury(child, status)

    def _bury(self, child: Child, status: int) -> None:
        now = time.monotonic()
        child.ended(status, now)
        if self._draining:
            self._dismiss_control()
        else:
            child.schedule(now)

    # -- time

    def _seconds_to_wait(self) -> float:
        due = [child.restart_at for child in self._children() if child.restart_at is not None]
        if self._kill_at is not None:
            due.append(self._kill_at)
        return max(0.0, min(due) - time.monotonic()) if due else 3600.0

    def _keep_time(self) -> None:
        now = time.monotonic()
        for child in self._children():
            if child.restart_at is not None and child.restart_at <= now:
                self._start(child)
        if self._kill_at is not None and self._kill_at <= now:
            _log.error("draining took too long, killing what is left")
            self._kill_all()
