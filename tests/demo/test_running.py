"""The demo as a person meets it: every printed command is run by a shell, exactly as printed."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import require_tool

pytestmark = pytest.mark.e2e


class RunningDemo:
    """`python -m entryproxy demo` on free ports, in a session of its own as in a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output: list[str] = []
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "entryproxy", "demo", "--dir", str(folder)),
                *("--https-port", "0", "--http-port", "0", "--admin-port", "0", "--workers", "2"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.errors: list[str] = []
        self._complete = threading.Event()
        self._readers = [threading.Thread(target=self._read_output), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def wait_printed(self) -> None:
        assert self._complete.wait(60), "".join(self.errors)
        assert self.process.poll() is None, "".join(self.errors)

    def commands(self) -> dict[str, str]:
        """Printed commands by title: what stands between a `# title` line and the next empty line."""
        found = re.findall(r"^# (.+)\n((?:[^#\n].*\n)+)", "".join(self.output), re.MULTILINE)
        return dict(found)

    def stop(self, number: signal.Signals) -> int:
        """As Ctrl-C does: the signal goes to the foreground process group."""
        os.killpg(self.process.pid, number)
        status = self.process.wait(30)
        self.join()
        return status

    def join(self) -> None:
        for reader in self._readers:
            reader.join()

    def descendants(self) -> list[int]:
        found: list[int] = []
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += map(int, children)
            waiting += map(int, children)
        return found

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.output.append(line)
                if line.startswith("# Ctrl-C"):
                    self._complete.set()
        self._complete.set()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            self.errors.extend(stream)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a printed command did."""

    command: str
    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode("latin-1")


class Shell:
    """Runs printed commands once each, found by a part of their title."""

    def __init__(self, demo: RunningDemo) -> None:
        self.commands = demo.commands()

    def run(self, part: str) -> Outcome:
        (command,) = [command for title, command in self.commands.items() if part in title]
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
        return Outcome(command, done.returncode, done.stdout, done.stderr.decode())

    def answer(self, part: str) -> str:
        outcome = self.run(part)
        assert outcome.status == 0, outcome
        return outcome.text

    def headers_once_served(self, part: str) -> dict[str, str]:
        """What a gateway received, of a name that may take a moment on a busy machine: nothing here measures time."""
        deadline = time.monotonic() + 10
        while True:
            outcome = self.run(part)
            shown = json.loads(outcome.stdout) if outcome.status == 0 else {}
            if "headers" in shown or time.monotonic() > deadline:
                headers: dict[str, str] = shown["headers"]
                return headers
            time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    require_tool("curl")
    running = RunningDemo(tmp_path_factory.mktemp("demo") / "a demo")
    try:
        running.wait_printed()
        yield running
    finally:
        if running.process.poll() is None:
            running.stop(signal.SIGTERM)
        running.join()


@pytest.fixture
def shell(demo: RunningDemo) -> Shell:
    return Shell(demo)


def test_hello_on_two_tenants_and_a_custom_domain(shell: Shell) -> None:
    first = json.loads(shell.answer("Hello from tenant1"))
    assert first["path"] == "/hello?name=you"
    assert "tenant1" in first["demo"]
    assert first["headers"]["X-Entry-Tenant"] == "tenant1"
    assert first["headers"]["X-Entry-Service"] == "app1"
    assert json.loads(shell.answer("Another tenant"))["headers"]["X-Entry-Tenant"] == "tenant2"
    custom = json.loads(shell.answer("owns a domain"))
    assert custom["headers"]["X-Entry-Domain-Type"] == "custom"
    assert custom["headers"]["X-Entry-Tenant"] == "tenant3"


def test_the_plain_port_redirects(shell: Shell) -> None:
    answer = shell.answer("Port 80")
    assert answer.startswith("HTTP/1.1 308")
    assert "location: https://app1.tenant1.aigw.example.com" in answer.lower()


def test_events_arrive_one_by_one(shell: Shell) -> None:
    (command,) = [command for title, command in shell.commands.items() if "Server-sent" in title]
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        arrivals = [time.monotonic() for line in process.stdout if line.startswith("data:")]
    assert process.returncode == 0
    assert len(arrivals) == 5
    assert arrivals[-1] - arrivals[0] > 1.0, "the events came in one piece"


def test_a_websocket(shell: Shell) -> None:
    outcome = shell.run("A WebSocket")
    assert outcome.status == 0, outcome
    assert outcome.text.startswith("HTTP/1.1 101")
    assert outcome.text.count("hello from tenant1") == 3


def test_a_slow_and_a_large_answer(shell: Shell) -> None:
    assert json.loads(shell.answer("takes its time"))["sleptSeconds"] == 2.0
    assert shell.answer("A large answer").startswith("200: 200000000 bytes")


def test_an_upload(shell: Shell) -> None:
    assert json.loads(shell.answer("An upload"))["bodyBytes"] == 50_000_000


def test_refusals(shell: Shell) -> None:
    assert shell.answer("421").startswith("HTTP/1.1 421")
    assert shell.answer("404").startswith("HTTP/1.1 404")
    refused = shell.run("refused in the handshake")
    assert refused.text == "refused, as it should be\n"
    assert "unrecognized name" in refused.stderr


def test_the_rate_limit(shell: Shell) -> None:
    codes = {code: int(count) for count, code in map(str.split, shell.answer("429").splitlines())}
    assert codes.keys() == {"200", "429"}
    assert sum(codes.values()) == 30


def test_a_fourth_tenant_by_writing_one_file(shell: Shell) -> None:
    shell.answer("by writing one file")
    assert shell.headers_once_served("Its own name")["X-Entry-Tenant"] == "tenant4"
    shell.answer("Give it a wildcard")
    assert shell.headers_once_served("A service of the fourth")["X-Entry-Service"] == "app1"


def test_the_admin_port(shell: Shell) -> None:
    assert "tenant1" in shell.answer("The admin port")
    assert 'tenant="tenant1"' in shell.answer("What the entry counted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(number: signal.Signals, tmp_path: Path) -> None:
    demo = RunningDemo(tmp_path / "demo")
    try:
        demo.wait_printed()
        descendants = demo.descendants()
        assert len(descendants) >= 4  # gateways, supervisor, control and workers
        assert demo.stop(number) == 0
        assert not any(alive(pid) for pid in descendants)
        assert "Traceback" not in "".join(demo.errors)
    finally:
        if demo.process.poll() is None:
            demo.stop(signal.SIGKILL)


def test_a_signal_while_it_starts(tmp_path: Path) -> None:
    demo = RunningDemo(tmp_path / "demo")
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "demo" / "objects" / "tenant3.yaml").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert demo.stop(signal.SIGINT) == 0
        assert "Traceback" not in "".join(demo.errors)
    finally:
        if demo.process.poll() is None:
            demo.stop(signal.SIGKILL)
