"""`python -m bench.cluster.storm [--tenants N] [--rate N] [--seconds N] [--rounds N]`: what a storm of changes does to
the latency of traffic.

Calm and storm take turns, with the objects and the changes from memory (bench.cluster.replay). Everything of the entry
is on one core, everything else on the other.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench import site
from bench.__main__ import choose_cores
from bench.cluster import traffic
from bench.cluster.running import RunningEntry
from bench.processes import Child, free_port, listens

_MARGIN_SECONDS = 0.5
"""A storm begins so long before the traffic that is measured, and ends so long after."""


def start_replay(place: site.Site, tenants: int) -> tuple[Child, int]:
    """The API server from memory, with its port. It runs when nothing else does on the load's core: a real one would
    be on another machine."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "bench.cluster.replay",
        str(port),
        str(tenants),
        f"127.0.0.1:{place.upstream_port}",
    ]
    child = Child("replay", ["chrt", "--idle", "0", *command], place.load_core, place.folder / "replay.log")
    try:
        child.wait_until(lambda: listens(port), 120)
    except BaseException:
        child.stop()
        raise
    return child, port


def write_kubeconfig(path: Path, port: int) -> Path:
    """For a server that asks for no credentials."""
    path.touch(mode=0o600)
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {}}]
    document = {"current-context": "c", "clusters": [cluster], "contexts": [context], "users": users}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **document}))
    return path


def measure_rounds(entry: RunningEntry, core: int, replay_port: int, options: argparse.Namespace) -> list[Any]:
    """Calm, then storm, as often as asked for."""
    rounds = []
    for _ in range(options.rounds):
        calm = traffic.latencies(traffic.start(entry.https_port, core, options.seconds))
        generation = entry.generation()
        seconds = options.seconds + 2 * _MARGIN_SECONDS
        with _Storm(replay_port, options.rate, seconds) as made:
            storm = traffic.latencies(traffic.start(entry.https_port, core, options.seconds))
        rounds.append(
            {
                "calm": calm,
                "storm": storm,
                "p99_ratio": round(storm["p99"] / calm["p99"], 2),
                "changes_per_second": round(made["sent"] / made["seconds"]),
                "generations_per_second": round((entry.generation() - generation) / seconds, 1),
            }
        )
        print(json.dumps(rounds[-1]), flush=True)
    return rounds


def summary(rounds: list[Any]) -> dict[str, Any]:
    """Medians over the rounds: a single one may have met a pause of the machine."""
    found: dict[str, Any] = {
        phase: {name: round(statistics.median(one[phase][name] for one in rounds), 2) for name in rounds[0][phase]}
        for phase in ("calm", "storm")
    }
    return found | {"p99_ratio": round(statistics.median(one["p99_ratio"] for one in rounds), 2)}


class _Storm:
    """Changes while inside; what was sent is known afterwards."""

    def __init__(self, port: int, rate: float, seconds: float) -> None:
        self._url = f"http://127.0.0.1:{port}/storm?rate={rate}&seconds={seconds}"
        self._made: dict[str, float] = {}
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        with urllib.request.urlopen(urllib.request.Request(self._url, method="POST")) as answer:
            self._made.update(json.load(answer))

    def __enter__(self) -> dict[str, float]:
        self._thread.start()
        time.sleep(_MARGIN_SECONDS)
        return self._made

    def __exit__(self, *error: object) -> None:
        self._thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster.storm", description="A storm of changes.")
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=1_000.0, help="changes per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each calm and each storm")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    proxy_core, load_core = choose_cores(sorted(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory(prefix="entryproxy-bench-") as folder:
        place = site.prepare(Path(folder), proxy_core, load_core)
        with contextlib.ExitStack() as stack:
            upstream = site.start_upstream(place)
            stack.callback(upstream.stop)
            replay, port = start_replay(place, options.tenants)
            stack.callback(replay.stop)
            kubeconfig = write_kubeconfig(place.folder / "kubeconfig", port)
            entry = RunningEntry(place, options.workers, kubeconfig=kubeconfig)
            stack.callback(entry.stop)
            print(json.dumps({"start_to_ready_seconds": round(entry.start_seconds, 2), "megabytes": entry.megabytes()}))
            print(json.dumps(summary(measure_rounds(entry, load_core, port, options)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
