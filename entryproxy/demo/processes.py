"""The demo's two children, stand-in gateways and entry, and the signals that end them."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalWaiter:
    """A wait that a signal to stop ends, whenever it came, and the end of a child interrupts."""

    def __init__(self) -> None:
        self.stopped = False
        self._replaced: dict[signal.Signals, Any] = {}
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)

    def __enter__(self) -> SignalWaiter:
        for number in _STOP_SIGNALS:
            self._replaced[number] = signal.signal(number, self._stop)
        self._replaced[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
        self._woken.close()
        self._waker.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Return after `seconds`, or at any signal: whether it is time to stop."""
        if not self.stopped:
            readable, _, _ = select.select([self._woken], [], [], seconds)
            if readable:
                self._woken.recv(4_096)
        return self.stopped

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopped = True


class Child:
    """A module of ours as a process, in a group of its own: Ctrl-C reaches the demo alone, which ends it in order."""

    def __init__(self, module: str, arguments: Sequence[str], *, output: int | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            process_group=0,
        )

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def read_line(self) -> bytes:
        """The next line of its output, b"" at the end; only with output=subprocess.PIPE."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self, seconds: float) -> None:
        """Ask it to end, insist after `seconds`."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def start_gateways(tenants: Sequence[str]) -> tuple[Child, dict[str, str]]:
    """The stand-in gateways and their addresses by tenant.

    Raises OSError when they don't start; they have said why on standard error.
    """
    child = Child("entryproxy.demo.gateways", tenants, output=subprocess.PIPE)
    line = child.read_line()
    if not line:
        child.stop(1.0)
        raise OSError("the stand-in gateways did not start")
    return child, json.loads(line)
