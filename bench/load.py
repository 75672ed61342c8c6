"""Load on one contender, from the load generator's core: wrk, or our own clients."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.processes import need_program
from bench.site import HOST, LARGE_BYTES, LARGE_PATH

_SCRIPT = Path(__file__).with_name("wrk.lua")
_GRACE_SECONDS = 30.0


class LoadError(Exception):
    """The load generator ended badly, or got answers that are no success: the sample is worth nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """What one turn of load did. requests may be a fraction where it is counted in bytes; latencies in milliseconds."""

    requests: float
    seconds: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def plain(port: int, core: int, seconds: float) -> Load:
    """Three fields, one path, 64 connections."""
    return _wrk(port, core, seconds, connections=64, kind="plain", paths="/")


def browser(port: int, core: int, seconds: float) -> Load:
    """A browser's fields, 5,000 paths, 64 connections."""
    return _wrk(port, core, seconds, connections=64, kind="browser", paths="5000")


def large(port: int, core: int, seconds: float) -> Load:
    """10 MB bodies on 16 connections. Counted in bytes, so that unfinished bodies count as far as they came."""
    return _wrk(port, core, seconds, connections=16, kind="plain", paths=LARGE_PATH, bytes_each=LARGE_BYTES)


def handshakes(port: int, core: int, seconds: float) -> Load:
    """A connection with a full handshake for every request."""
    report = run_client(["handshakes", f"--port={port}", f"--seconds={seconds}"], core, seconds)
    return Load(report["requests"], report["seconds"])


def parse_wrk(output: str, bytes_each: int | None = None) -> Load:
    """The line that wrk.lua's done() prints. Raises LoadError when requests failed."""
    report = json.loads(output[output.rindex("{") :])
    if report["refused"] or report["broken"] or not report["bytes"]:
        raise LoadError(f"{report['refused']} refused and {report['broken']} broken of {report['requests']} requests")
    requests = report["bytes"] / bytes_each if bytes_each else report["requests"]
    return Load(requests, report["seconds"], report["p50_ms"], report["p99_ms"])


def run_client(arguments: Sequence[str], core: int, seconds: float) -> dict[str, Any]:
    """Run one of our own clients to its end; it reports a JSON object on its last line."""
    output = _run([sys.executable, "-m", "bench.clients", *arguments], core, seconds)
    report: dict[str, Any] = json.loads(output.strip().rpartition("\n")[2])
    if report.get("failed"):
        raise LoadError(f"{report['failed']} failed of {report['requests']} requests")
    return report


def _wrk(
    port: int, core: int, seconds: float, *, connections: int, kind: str, paths: str, bytes_each: int | None = None
) -> Load:
    command = [
        *(need_program("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"),
        *("-s", str(_SCRIPT), f"https://127.0.0.1:{port}/", "--", HOST, kind, paths),
    ]
    return parse_wrk(_run(command, core, seconds), bytes_each)


def _run(command: Sequence[str], core: int, seconds: float) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_SECONDS,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    except subprocess.TimeoutExpired:
        raise LoadError(f"{Path(command[0]).name} did not end in time") from None
    if done.returncode != 0 or not done.stdout:
        raise LoadError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout
