"""`python -m bench`: what to compare, for how long, and where the results go."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import report, rows, site, tenants
from bench.contenders import CONTENDERS, Contender
from bench.load import LoadError
from bench.processes import StartError
from bench.rows import ROWS, Row, Sample

TENANTS = "tenants"
_RESULTS = Path(__file__).with_name("results")
_FILES_WANTED = 65_536


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 1 when nothing at all could be measured."""
    options = _options(arguments)
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended
    proxy_core, load_core = choose_cores(sorted(os.sched_getaffinity(0)))
    run = report.Run(
        machine=_machine(proxy_core, load_core),
        options={key: value for key, value in vars(options).items() if key != "output"},
    )
    with tempfile.TemporaryDirectory(prefix="entryproxy-bench-", dir=_memory_folder()) as folder:
        place = site.prepare(Path(folder), proxy_core, load_core)
        try:
            upstream = site.start_upstream(place)
        except StartError as error:
            print(f"no upstream, nothing to measure: {error}", file=sys.stderr)
            return 1
        try:
            Comparison(place, options, run).all_rows()
        finally:
            upstream.stop()
    chosen = [ROWS[key] for key in options.rows if key in ROWS]
    print(report.table(chosen, run))
    options.output.mkdir(parents=True, exist_ok=True)
    report.write_json(options.output / "bench.json", chosen, run)
    report.plot(options.output / "bench.png", chosen, run)
    print(f"\nwritten: {options.output / 'bench.json'}, {options.output / 'bench.png'}")
    return 0 if run.samples or run.tenants else 1


class Comparison:
    """One run: every row, every contender in turn, as many rounds as asked for."""

    def __init__(self, place: site.Site, options: argparse.Namespace, run: report.Run) -> None:
        self.site = place
        self.options = options
        self.run = run

    def all_rows(self) -> None:
        """Traffic rows share one set of running contenders; memory and tenants want fresh processes."""
        chosen = [ROWS[key] for key in self.options.rows if key in ROWS]
        traffic = [row for row in chosen if not row.wants_fresh_process]
        if traffic:
            self._traffic(traffic)
        for row in chosen:
            if row.wants_fresh_process:
                self._fresh(row)
        if TENANTS in self.options.rows:
            self._tenants()

    def _traffic(self, chosen: Iterable[Row]) -> None:
        with contextlib.ExitStack() as stack:
            running = []
            for name in self.options.contenders:
                if contender := self._started(name):
                    stack.callback(contender.stop)
                    running.append(contender)
            for row in chosen:
                for round_number in range(self.options.rounds):
                    for contender in running:
                        self._traffic_turn(row, contender, is_first=round_number == 0)

    def _traffic_turn(self, row: Row, contender: Contender, *, is_first: bool) -> None:
        assert row.loader is not None
        if f"{contender.name}, {row.key}" in self.run.could_not:
            return
        try:
            if is_first:
                rows.warm_up(contender, row.loader)
            self._keep(row, contender.name, rows.sample_traffic(contender, row.loader, self.options.seconds))
        except (LoadError, StartError) as error:
            self._could_not(f"{contender.name}, {row.key}", error)

    def _fresh(self, row: Row) -> None:
        for name in self.options.contenders:
            contender = self._started(name)
            if contender is None:
                continue
            try:
                self._keep(row, name, rows.sample_idle(contender, self.options.connections))
            except LoadError as error:
                self._could_not(f"{name}, {row.key}", error)
            finally:
                contender.stop()

    def _tenants(self) -> None:
        authority = site.Authority()
        for count in self.options.tenants:
            for name, kind in tenants.KINDS.items():
                if name not in self.options.contenders:
                    continue
                try:
                    result = tenants.run(kind, self.site, authority, count, self.options.changes)
                except (StartError, LoadError) as error:
                    self._could_not(f"{name}, {count} tenants", error)
                    continue
                self.run.tenants.setdefault(name, []).append(result)
                _say(f"{count} tenants, {name}: {result.start_seconds:.2f} s, {result.change_p50_ms:.0f} ms")

    def _started(self, name: str) -> Contender | None:
        contender = CONTENDERS[name](self.site)
        try:
            contender.start()
        except StartError as error:
            self._could_not(name, error)
            return None
        return contender

    def _keep(self, row: Row, name: str, sample: Sample) -> None:
        self.run.samples.setdefault(row.key, {}).setdefault(name, []).append(sample)
        _say(f"{row.key}, {name}: {sample.value:,.1f} {row.unit}")

    def _could_not(self, what: str, error: Exception) -> None:
        self.run.could_not[what] = str(error)
        _say(f"{what}: {error}")


def choose_cores(available: Sequence[int]) -> tuple[int, int]:
    """A core for the proxy and one for everything else; the same one twice on a machine that has no other."""
    return available[0], available[1 % len(available)]


def raise_file_limit() -> None:
    """As many open files as the kernel lets this process have; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    every_row = [*ROWS, TENANTS]
    parser.add_argument(
        "--rows", nargs="+", choices=every_row, default=every_row, metavar="ROW", help=" ".join(every_row)
    )
    parser.add_argument(
        "--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS), metavar="NAME",
        help=" ".join(CONTENDERS),
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contender in every row (5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one turn, whole seconds (5)")
    parser.add_argument("--connections", type=int, default=2_000, help="idle connections (2000)")
    parser.add_argument("--tenants", type=int, nargs="+", default=[1_000], metavar="COUNT", help="(1000)")
    parser.add_argument("--changes", type=int, default=20, help="changes that are timed with many tenants (20)")
    parser.add_argument("--quick", action="store_true", help="two rounds of one second, 500 connections, 100 tenants")
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder for JSON and plot (bench/results)")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds, options.connections = 2, 1.0, 500
        options.tenants, options.changes = [100], 5
    return options


def _machine(proxy_core: int, load_core: int) -> dict[str, Any]:
    load_average = os.getloadavg()[0]
    if proxy_core == load_core:
        print("only one core: the load generator takes turns with the proxies", file=sys.stderr)
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "loadAverageAtStart": load_average,
    }


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # logs and bodies must not wait for a disk


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
