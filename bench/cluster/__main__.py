"""`python -m bench.cluster [--tenants N] [--changes N] [--storm-rate N] [--storm-seconds N]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL

from bench import site
from bench.__main__ import choose_cores, raise_file_limit
from bench.cluster import objects, traffic
from bench.cluster.running import InPod, RunningEntry
from bench.contenders.base import answers
from bench.contenders.entry import NAMESPACE
from bench.tenants import host_of, percentile
from tests.certificates import Authority
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane

_PATCH = "application/merge-patch+json"


class Bench:
    """One entry in front of one cluster; `figures` grows as it is measured."""

    def __init__(self, cluster: Cluster, place: site.Site, options: argparse.Namespace) -> None:
        self.cluster = cluster
        self.site = place
        self.options = options
        self.gateway = f"127.0.0.1:{place.upstream_port}"
        self.authority = Authority()
        self.figures: dict[str, Any] = {"tenants": options.tenants, "workers": options.workers}

    async def make_tenants(self) -> None:
        """Everything that is there before the entry starts."""
        self.cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        await self.cluster.create_many(objects.platform(self.authority))
        await self.cluster.create_many(objects.tenants(self.authority, iter([traffic.BUSY]), self.gateway))
        ids = (f"t{number}" for number in range(self.options.tenants))
        began = time.monotonic()
        count = await self.cluster.create_many(objects.tenants(self.authority, ids))
        print(f"{count} objects made in {time.monotonic() - began:.0f} s", flush=True)

    # -- changes

    def changes(self, entry: RunningEntry) -> None:
        """New tenants one by one under traffic: acknowledgement of the API server to first good answer."""
        before = propagation(entry)
        running = traffic.start(entry.https_port, self.site.load_core, self.options.changes * 0.35 + 5)
        delays = sorted(self._change(entry, f"new{number}") for number in range(self.options.changes))
        self.figures["traffic_during_changes_ms"] = traffic.latencies(running)
        self.figures["change_ms"] = {"p50": percentile(delays, 50), "p99": percentile(delays, 99), "max": delays[-1]}
        self.figures["own_share"] = share_within(before, propagation(entry))

    def _change(self, entry: RunningEntry, tenant: str) -> float:
        time.sleep(0.2)
        config, secret = objects.tenants(self.authority, iter([tenant]), self.gateway)
        self.cluster.api.create(secret)
        self.cluster.api.create(config)
        acknowledged = time.monotonic()
        while not answers(entry.https_port, host_of(tenant)):
            time.sleep(0.001)
        return (time.monotonic() - acknowledged) * 1000

    # -- a storm

    async def storm(self, entry: RunningEntry) -> None:
        """Latency of traffic in calm, while objects change that nobody watches, and while tenants change."""
        seconds, core = self.options.storm_seconds, self.site.load_core
        calm = await asyncio.to_thread(traffic.latencies, traffic.start(entry.https_port, core, seconds))
        phases = {"calm": calm}
        for name, labelled in (("changes of unlabelled objects", False), ("changes of tenants", True)):
            running = traffic.start(entry.https_port, core, seconds)
            await asyncio.sleep(1.0)
            generation = entry.generation()
            made = await self._patch_for(seconds - 2.0, labelled=labelled)
            phases[name] = await asyncio.to_thread(traffic.latencies, running)
            phases[name]["changes_per_second"] = made / (seconds - 2.0)
            phases[name]["generations"] = entry.generation() - generation
        self.figures["storm"] = phases

    async def _patch_for(self, seconds: float, *, labelled: bool) -> int:
        """Change ConfigMaps at the wanted rate, as far as the API server keeps up; how many were changed."""
        fields = {"Authorization": f"Bearer {self.cluster.admin_token}", "Content-Type": _PATCH}
        connector = aiohttp.TCPConnector(limit=16, ssl=self.cluster.authority.context())
        deadline, rate = time.monotonic() + seconds, self.options.storm_rate
        began, count = time.monotonic(), 0
        async with aiohttp.ClientSession(self.cluster.url, connector=connector, headers=fields) as session:

            async def work() -> None:
                nonlocal count
                while (now := time.monotonic()) < deadline:
                    count += 1
                    await asyncio.sleep(began + count / rate - now)
                    await self._patch(session, count, labelled=labelled)

            await asyncio.gather(*(work() for _ in range(16)))
        return count

    async def _patch(self, session: aiohttp.ClientSession, number: int, *, labelled: bool) -> None:
        tenant = f"t{number % self.options.tenants}" if labelled else f"unlabelled{number % 100}"
        change = {"data": objects.tenant_config(tenant, connections=1 + number)["data"]}
        async with session.patch(objects.path_of(tenant), data=json.dumps(change)) as answer:
            assert answer.status == 200, await answer.text()

    async def make_unlabelled(self) -> None:
        """ConfigMaps that concern nobody, to change for comparison."""
        for number in range(100):
            document = objects.tenant_config(f"unlabelled{number}")
            del document["metadata"]["labels"]
            self.cluster.api.create(document)


def propagation(entry: RunningEntry) -> dict[float, float]:
    """The entry's own histogram of event seen to in force everywhere: cumulated counts by upper bound in seconds."""
    found = {}
    for family in text_string_to_metric_families(entry.admin("/metrics")):
        for sample in family.samples:
            if sample.name == "entryproxy_config_propagation_seconds_bucket":
                found[float(sample.labels["le"])] = sample.value
    return found


def share_within(before: dict[float, float], after: dict[float, float]) -> dict[str, Any]:
    """How much of what was observed in between is within each bound, in milliseconds."""
    total = after[float("inf")] - before[float("inf")]
    return {
        f"within {bound * 1000:g} ms": round((after[bound] - before[bound]) / total, 4)
        for bound in sorted(after)
        if 0.005 <= bound <= 0.25
    }


def make_account(cluster: Cluster) -> InPod:
    """A service account that may read what the chart lets the entry read, and more: nothing is measured by that."""
    account = cluster.service_account_kubeconfig(NAMESPACE, "entry")
    cluster.kubectl(
        *("create", "clusterrolebinding", "entry", "--clusterrole=cluster-admin"),
        f"--serviceaccount={NAMESPACE}:entry",
    )
    url = URL(cluster.url)
    return InPod(account.folder, str(url.host), url.port or 443)


async def measure_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    proxy_core, load_core = choose_cores(sorted(os.sched_getaffinity(0)))
    place = site.prepare(folder, proxy_core, load_core)
    upstream = site.start_upstream(place)
    os.sched_setaffinity(0, {load_core})  # the control plane inherits it
    try:
        with ControlPlane(folder / "cluster") as cluster:
            bench = Bench(cluster, place, options)
            await bench.make_tenants()
            await bench.make_unlabelled()
            entry = RunningEntry(place, options.workers, in_pod=make_account(cluster))
            try:
                bench.figures["start_to_ready_seconds"] = round(entry.start_seconds, 2)
                bench.figures["megabytes"] = entry.megabytes()
                if options.changes:
                    await asyncio.to_thread(bench.changes, entry)
                if options.storm_seconds:
                    await bench.storm(entry)
                bench.figures["megabytes_after"] = entry.megabytes()
            finally:
                entry.stop()
            return bench.figures
    finally:
        upstream.stop()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cluster", description="Thousands of tenants on a real API server."
    )
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--storm-rate", type=float, default=1_000.0, help="changes per second")
    parser.add_argument("--storm-seconds", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep-log", type=Path, help="where to copy what the entry says")
    options = parser.parse_args()
    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="entryproxy-bench-") as folder:
        figures = asyncio.run(measure_all(options, Path(folder)))
        if options.keep_log:
            options.keep_log.write_bytes((Path(folder) / "entry.log").read_bytes())
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
