"""Child processes of the bench: pinned to cores, with their output in a file, ended by the id we started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

STOP_SECONDS = 10.0


class StartError(Exception):
    """Why a contender or a tool can't take part; the text is for the report."""


class Child:
    """One process in a session of its own, so that what it forks can be ended with it. core: None for all of them."""

    def __init__(self, name: str, command: Sequence[str], core: int | None, output: Path) -> None:
        self.name = name
        self.output = output
        with output.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1) if core is None else {core}),
                )
            except OSError as error:
                raise StartError(f"{name}: {error}") from None

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, ready: Callable[[], bool], seconds: float, interval: float = 0.02) -> None:
        """Poll `ready`; raises StartError with the end of the output when the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise StartError(f"{self.name} ended with {self.process.returncode}: {self._last_lines()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready after {seconds:.0f} s: {self._last_lines()}")
            time.sleep(interval)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to the whole session when it takes longer than STOP_SECONDS."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def _last_lines(self) -> str:
        with self.output.open("rb") as log:
            log.seek(max(0, self.output.stat().st_size - 600))
            lines = log.read().decode(errors="replace").split("\n")
            return " | ".join(line.strip() for line in lines if line.strip())[-300:] or "no output"


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether a TCP connection to the port succeeds."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def find_program(name: str) -> str | None:
    """A program beside the running interpreter, on PATH, or where Debian puts daemons."""
    places = [Path(sys.executable).parent, *map(Path, os.get_exec_path()), Path("/usr/sbin"), Path("/usr/local/sbin")]
    return next((str(place / name) for place in places if os.access(place / name, os.X_OK)), None)


def need_program(name: str) -> str:
    """`find_program`, or StartError."""
    path = find_program(name)
    if path is None:
        raise StartError(f"{name} is not installed")
    return path
