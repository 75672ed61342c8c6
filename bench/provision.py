"""`python -m bench.provision [--tenants N] [--parallel N]`: a controller that provisions many tenants at once.

A control plane as the tests start it, real Helm, our small chart unless HIGRESS_CHART names another, and a played
kubelet (tests/cluster/provision). The controller has the credentials of a pod. Measured: how long it takes, what it and
its children need of memory, and
what a restart does, which is to be nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from yarl import URL

from bench import measure
from bench.cluster.running import InPod
from entryproxy.model.objects import STATUS_ANNOTATION, TENANT_LABEL
from entryproxy.model.status import decode_status
from tests.certificates import Authority
from tests.cluster.control_plane import ControlPlane
from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.place import Place
from tests.cluster.provision.running import RunningController

SAMPLE_SECONDS = 0.1
POLL_SECONDS = 0.5
PROVISION_SECONDS_MAX = 1_800.0
RESTART_SECONDS_MAX = 300.0
_DOCUMENT = "release: {profile: dev}\n"


class Sampler:
    """The most memory that a process and its descendants have had at one time, looked at every SAMPLE_SECONDS.

    rss, pss: megabytes; processes: the most at one time. A context manager.
    """

    def __init__(self, root: int) -> None:
        self.rss = self.pss = 0.0
        self.processes = 0
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def figures(self) -> dict[str, Any]:
        return {"rss_megabytes": round(self.rss, 1), "pss_megabytes": round(self.pss, 1), "processes": self.processes}

    def _run(self) -> None:
        while True:
            each = measure.memory_kilobytes_of_each(self._root)
            self.rss = max(self.rss, sum(one.rss for one in each) / 1024)
            self.pss = max(self.pss, sum(one.pss for one in each) / 1024)
            self.processes = max(self.processes, len(each))
            if self._over.wait(SAMPLE_SECONDS):
                return


def tenants(namespace: str, count: int) -> list[dict[str, Any]]:
    """ConfigMaps of tenants t0, t1…"""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": {TENANT_LABEL: name}},
            "data": {"tenant.yaml": _DOCUMENT},
        }
        for name in (f"t{number}" for number in range(count))
    ]


def phases(place: Place) -> Counter[str]:
    """How many tenants are in which phase, "" for those of whom nothing is said yet."""
    items = place.cluster.api.get(f"{place.path('configmaps')}?labelSelector={TENANT_LABEL}!%3Dsystem")["items"]
    statuses = [decode_status(one["metadata"].get("annotations", {}).get(STATUS_ANNOTATION, "")) for one in items]
    return Counter(str(status.phase) if status else "" for status in statuses)


def provision(place: Place, controller: RunningController, count: int) -> dict[str, Any]:
    """All at once, until all are Ready."""
    with Sampler(controller.pid) as sampler:
        began = time.monotonic()
        asyncio.run(place.cluster.create_many(tenants(place.namespace, count)))
        seconds = _until_ready(place, controller, count, began)
    return {
        "seconds": round(seconds, 1),
        "tenants_per_second": round(count / seconds, 2),
        "helm_runs": len(controller.helm.runs()),
        "controller_cpu_seconds": measure.cpu_seconds(controller.pid),
        "peak": sampler.figures(),
    }


def _until_ready(place: Place, controller: RunningController, count: int, began: float) -> float:
    told = 0
    while (ready := (found := phases(place))["Ready"]) < count:
        if controller.has_ended or time.monotonic() > began + PROVISION_SECONDS_MAX:
            raise SystemExit(
                f"{dict(found)} of {count} tenants; the controller's last words:\n{controller.last_words()}"
            )
        if ready >= told + 20:
            told = ready
            print(f"{ready} ready after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def restart(controller: RunningController, began: float, runs_before: int, count: int) -> dict[str, Any]:
    """What a new controller does until it has seen that everybody is Ready. began: when it was started."""
    with Sampler(controller.pid) as sampler:
        while (seen := controller.metric("entryproxy_release_info", status="Ready")) < count:
            if time.monotonic() > began + RESTART_SECONDS_MAX:
                raise SystemExit(f"{seen:.0f} of {count} seen; the controller's last words:\n{controller.last_words()}")
            time.sleep(SAMPLE_SECONDS)
    return {
        "seconds_until_all_are_seen": round(time.monotonic() - began, 1),
        "helm_runs": len(controller.helm.runs()) - runs_before,
        "controller_cpu_seconds": measure.cpu_seconds(controller.pid),
        "peak": sampler.figures(),
    }


def measure_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    arguments = ("--parallel", str(options.parallel))
    figures: dict[str, Any] = {"tenants": options.tenants, "parallel": options.parallel}
    with ControlPlane(folder / "cluster") as cluster, Kubelet(cluster):
        place = Place(cluster, None, Authority(), folder)
        place.platform()
        url = URL(cluster.url)
        pod = InPod(place.controller_account.folder, str(url.host), url.port or 443).program
        with place.controlled(*arguments, in_pod=pod) as controller:
            figures["provision"] = provision(place, controller, options.tenants)
            runs = len(controller.helm.runs())
        began = time.monotonic()
        with place.controlled(*arguments, in_pod=pod) as controller:
            figures["restart"] = restart(controller, began, runs, options.tenants)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.provision", description="Many tenants, provisioned at once.")
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=4, help="runs of Helm at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entryproxy-bench-") as folder:
        figures = measure_all(options, Path(folder))
    print(json.dumps(figures, indent=2))
    return 0 if figures["restart"]["helm_runs"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
