"""A fake pod in a process of its own, and what tests ask it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import Signals
from typing import IO, Any

_LISTENING = re.compile(r"(https|http|admin)=127\.0\.0\.1:(\d+)")


def wait_until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Return when `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """A process with this id exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


class Line:
    """One client connection, a question and an answer at a time."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self._sock.makefile("rw")

    def send(self, question: str) -> None:
        self._file.write(question + "\n")
        self._file.flush()

    def receive(self) -> str:
        """The answer; "" when the connection has ended."""
        try:
            return self._file.readline().strip()
        except ConnectionResetError:
            return ""

    def ask(self, question: str) -> str:
        self.send(question)
        return self.receive()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._sock.close()


class Pod:
    """`tests.process.fake_pod`, running."""

    def __init__(self, file: Path, workers: int, *options: str) -> None:
        self.file = file
        self.messages: list[str] = []
        self.ports: dict[str, int] = {}
        self._workers = workers
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.process.fake_pod", str(file), str(workers), *options],
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,))
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        return self._process.poll()

    def wait_ready(self) -> None:
        wait_until(lambda: len(self.ports) == 3 and self.admin("/readyz")[0] == 200, "ready")

    def wait(self, seconds: float = 10.0) -> int:
        """The exit status."""
        status = self._process.wait(seconds)
        self._reader.join(seconds)
        return status

    def signal(self, number: Signals) -> None:
        self._process.send_signal(number)

    def signal_group(self, number: Signals) -> None:
        """As a terminal does it: to the supervisor and all its children."""
        os.killpg(self.pid, number)

    def children(self) -> set[int]:
        return {int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()}

    def workers(self) -> list[dict[str, Any]]:
        """What the control process knows of them, by slot."""
        rows: list[dict[str, Any]] = json.loads(self.admin("/api/workers")[1])["items"]
        return rows

    def worker(self, slot: int = 0) -> int:
        """The pid in a slot."""
        pid: int = self.workers()[slot]["pid"]
        return pid

    def control(self) -> int:
        (pid,) = self.children() - {row["pid"] for row in self.workers()}
        return pid

    def line(self) -> Line:
        return Line(self.ports["https"])

    def ask(self, question: str) -> str:
        """The answer on a connection of its own."""
        line = self.line()
        try:
            return line.ask(question)
        finally:
            line.close()

    def is_refused(self) -> bool:
        """Nobody accepts connections any more."""
        try:
            self.line().close()
        except ConnectionRefusedError:
            return True
        return False

    def admin(self, path: str) -> tuple[int, str]:
        """Status and body; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['admin']}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum over all labels."""
        text = self.admin("/metrics")[1]
        return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}[{{ ]", line))

    def said(self, words: str) -> list[str]:
        return [message for message in self.messages if words in message]

    def close(self) -> None:
        """End it, whatever its state; nobody is left behind."""
        children = self.children() if self.status is None else set()
        if self.status is None:
            self.signal(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.wait()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.messages.append(line.rstrip())
                self.ports.update((name, int(port)) for name, port in _LISTENING.findall(line))


@contextlib.contextmanager
def running(folder: Path, workers: int = 1, *options: str, tenants: str = "one two") -> Iterator[Pod]:
    """A pod that is ready."""
    file = folder / "tenants"
    file.write_text(tenants)
    pod = Pod(file, workers, *options)
    try:
        pod.wait_ready()
        yield pod
    finally:
        pod.close()
    assert pod.said("Traceback") == []
    assert pod.said("Warning") == []
