"""Traffic of one tenant beside everything else: a process of its own, ahead of the others on the load's core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

from bench.tenants import host_of, percentile

BUSY = "busy"
"""The tenant whose traffic is measured."""
RATE = 400.0
CONNECTIONS = 16


def start(port: int, core: int, seconds: float) -> subprocess.Popen[str]:
    """RATE requests a second over CONNECTIONS connections."""
    arguments = [str(port), host_of(BUSY), str(RATE), str(seconds), str(CONNECTIONS)]
    return subprocess.Popen(
        [sys.executable, "-m", "bench.cluster.paced", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_in_front_of(core),
    )


def latencies(traffic: subprocess.Popen[str]) -> dict[str, float]:
    """In milliseconds, when it is over. Every request was answered with 200."""
    output, _ = traffic.communicate()
    assert traffic.returncode == 0, "traffic failed"
    ordered = sorted(json.loads(output))
    return {
        name: round(percentile(ordered, q), 2) for name, q in (("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9))
    }


def _in_front_of(core: int) -> Callable[[], None]:
    """Pinned, and ahead of an API server on the same core where that is allowed."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        try:
            os.nice(-10)
        except PermissionError:
            pass

    return prepare
