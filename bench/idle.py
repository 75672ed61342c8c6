"""Memory per idle TLS connection: how much the proxy grows while thousands that have asked once stand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from bench import measure
from bench.contenders import Contender
from bench.load import LoadError

_WARM_UP_CONNECTIONS = 20
_OPEN_SECONDS = 120.0
_SETTLE_SECONDS = 1.0


def kilobytes_per_connection(contender: Contender, connections: int) -> float:
    """Growth of the Pss of the whole process tree over `connections`.

    The contender should be fresh: memory that it has used and freed hides growth.
    """
    with _Idle(contender, _WARM_UP_CONNECTIONS):
        pass  # pools, caches and code pages that the first connections cost
    time.sleep(_SETTLE_SECONDS)
    before = measure.pss_kilobytes(contender.pid)
    with _Idle(contender, connections):
        time.sleep(_SETTLE_SECONDS)
        after = measure.pss_kilobytes(contender.pid)
    if not before or not after:
        raise LoadError("the proxy ended while it held connections")
    return (after - before) / connections


class _Idle:
    """A context in which `connections` stand."""

    def __init__(self, contender: Contender, connections: int) -> None:
        core = contender.site.load_core
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.clients", "idle"),
                *(f"--port={contender.https_port}", f"--connections={connections}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    def __enter__(self) -> None:
        assert self._process.stdout is not None
        watchdog = _kill_after(self._process, _OPEN_SECONDS)
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            _, errors = self._process.communicate()
            raise LoadError(f"idle connections: {errors.decode(errors='replace').strip()[-300:]}")

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=20)  # closes its standard input
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def _kill_after(process: subprocess.Popen[bytes], seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    return timer
