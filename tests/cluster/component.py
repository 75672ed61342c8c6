"""One process of the control plane: its log, its readiness, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_POLL_SECONDS = 0.05
_LOG_LINES_SHOWN = 30


class StartError(Exception):
    """A component ended, or did not become ready in time; the message ends with its log's last lines."""


class Component:
    """A program in a process group of its own that logs to a file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.name = Path(command[0]).name
        self._log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, process_group=0, cwd=log.parent
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait_until(self, is_ready: Callable[[], bool], seconds_max: float) -> None:
        """Return once `is_ready`; raises StartError when the process ends first or time is up."""
        deadline = time.monotonic() + seconds_max
        while not is_ready():
            if self.has_ended:
                raise StartError(f"{self.name} ended with status {self._process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} is not ready after {seconds_max:g} s:\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES_SHOWN:])

    def kill(self) -> None:
        """End it at once, with all that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


class ReservedPort:
    """A loopback port that nobody else is given while this object lives, its user's restarts included.

    The socket is bound and never listens; the program that listens must set SO_REUSEPORT too.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        self._socket.close()
