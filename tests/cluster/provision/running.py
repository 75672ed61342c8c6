"""`entryproxy controller` as a process, and the Helm that it starts, with a record of what it was asked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import yaml

from tests.charts import chart
from tests.e2e.admin import AdminPort
from tests.e2e.gateways import wait_until
from tests.support import require_tool

CHART = "higress-core"
STOP_SECONDS_MAX = 30.0
_LINES_SHOWN = 40
_ANNOUNCED = re.compile(r"admin on 127\.0\.0\.1:(\d+)")
_CHANGING = ("install", "upgrade", "rollback", "uninstall")


class RecordedHelm:
    """Helm with a record. path: for `--helm`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "helm"
        self._record = folder / "helm-runs"
        self._record.touch()
        program = shlex.quote(require_tool("helm"))
        self.path.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(self._record))}\nexec {program} "$@"\n')
        self.path.chmod(0o755)

    def runs(self) -> list[str]:
        """Arguments of every run so far, of those that change something."""
        lines = self._record.read_text().splitlines()
        return [line for line in lines if any(word in _CHANGING for word in line.split())]


class Charts:
    """A vendored chart. folder: for `--charts-dir`."""

    def __init__(self, parent: Path) -> None:
        self.folder = parent / "charts"
        self.folder.mkdir()
        shown = subprocess.run(
            [require_tool("helm"), "show", "chart", str(chart())], check=True, capture_output=True, text=True
        )
        self.version = str(yaml.safe_load(shown.stdout)["version"])
        if chart().is_dir():
            shutil.copytree(chart(), self.folder / CHART)
        else:
            shutil.copy(chart(), self.folder / f"{CHART}-{self.version}.tgz")

    @property
    def options(self) -> Sequence[str]:
        return ("--charts-dir", str(self.folder), "--chart", CHART, "--chart-version", self.version)


class RunningController(AdminPort):
    """One controller from its start to its end. messages: what it says, growing; helm: what it starts.

    folder: the test's own, for its files; one controller after the other may have the same.
    """

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        folder: Path,
        charts: Charts,
        *options: str,
        identity: str = "one",
        in_pod: Sequence[str] = (),
    ) -> None:
        """in_pod: what to start in place of `entryproxy --kubeconfig …`, for a controller that finds its own way."""
        program = in_pod or (sys.executable, "-m", "entryproxy")
        access = () if in_pod else ("--kubeconfig", str(kubeconfig))
        self.messages: list[str] = []
        self.helm = RecordedHelm(_made(folder / f"helm-{identity}"))
        self._process = subprocess.Popen(
            [
                *(*program, "controller", "--namespace", namespace, *access),
                *("--identity", identity, "--helm", str(self.helm.path)),
                *("--work-dir", str(_made(folder / f"work-{identity}"))),
                *("--admin-bind", "127.0.0.1", "--admin-port", "0", "--withdraw-seconds", "1"),
                *charts.options,
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    # -- life

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait_ready(self, seconds: float = 30.0) -> RunningController:
        """Return when it works; one that waits for the lease is ready too."""
        try:
            wait_until(lambda: self.has_ended or self.is_ready(), "", seconds)
        except AssertionError:
            raise AssertionError(f"never ready:\n{self.last_words()}") from None
        assert not self.has_ended, self.last_words()
        return self

    def stop(self) -> int:
        """SIGTERM; its exit status. One that doesn't end is killed, and the test fails."""
        if not self.has_ended:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._reader.join()
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL of the process alone: its children are its own business."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def freeze(self) -> None:
        """As a node that hangs does to it; `thaw` lets it go on."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    # -- what it says

    @property
    def admin_port(self) -> int:
        for line in list(self.messages):
            if announced := _ANNOUNCED.search(line):
                return int(announced[1])
        raise ConnectionError("no admin port announced yet")

    def last_words(self) -> str:
        return "\n".join(self.messages[-_LINES_SHOWN:])

    def stumbles(self) -> list[str]:
        """Lines that a controller in good health never says."""
        return [line for line in list(self.messages) if "Traceback" in line or "Warning:" in line]

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.messages.append(line.rstrip())


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
