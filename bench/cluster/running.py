"""The entry under test: started on a cluster, asked through its admin port."""

from __future__ import annotations

import compileall
import dataclasses
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import entryproxy
from bench import measure
from bench.contenders.entry import NAMESPACE
from bench.processes import Child, free_port
from bench.site import Site


@dataclasses.dataclass(frozen=True, slots=True)
class InPod:
    """What a pod has. service_account: a folder with `token` and `ca.crt`; host, port: of the API server."""

    service_account: Path
    host: str
    port: int

    @property
    def program(self) -> Sequence[str]:
        """What to start in place of `entryproxy`."""
        told = (f"KUBERNETES_SERVICE_HOST={self.host}", f"KUBERNETES_SERVICE_PORT={self.port}")
        return ("env", *told, sys.executable, "-m", "bench.cluster.in_pod", str(self.service_account))


class RunningEntry:
    """One entry that follows the cluster of a kubeconfig. start_seconds: from process start to ready.

    It starts on all cores, as nothing else happens then, and stays on the proxy's core from when it is ready.
    """

    def __init__(
        self, site: Site, workers: int, *, kubeconfig: Path | None = None, in_pod: InPod | None = None
    ) -> None:
        """As a pod, or with a kubeconfig."""
        self.https_port, self.admin_port = free_port(), free_port()
        state = site.folder / "state"
        state.mkdir(exist_ok=True)
        command = [
            *(in_pod.program if in_pod else (sys.executable, "-m", "entryproxy")),
            *("serve", "--source", "kubernetes", "--bind", "127.0.0.1", "--namespace", NAMESPACE),
            *(("--kubeconfig", str(kubeconfig)) if kubeconfig else ()),
            *("--workers", str(workers), "--state-dir", str(state)),
            *("--https-port", str(self.https_port), "--http-port", str(free_port())),
            *("--admin-port", str(self.admin_port), "--drain-delay", "0", "--drain-timeout", "1"),
        ]
        compileall.compile_dir(Path(entryproxy.__path__[0]), quiet=1)  # as it is in the image
        began = time.monotonic()
        self.child = Child("entry", command, None, site.folder / "entry.log")
        try:
            self.child.wait_until(self._is_ready, 120, 0.01)
        except BaseException:
            self.child.stop()
            raise
        self.start_seconds = time.monotonic() - began
        measure.pin(self.child.pid, site.proxy_core)

    def stop(self) -> None:
        self.child.stop()

    def admin(self, path: str) -> str:
        """What the admin port answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def generation(self) -> int:
        """Of the configuration in force."""
        return int(json.loads(self.admin("/api/tenants?limit=1"))["generation"])

    def megabytes(self) -> list[float]:
        """Proportional set size of each process, the largest first: the control process, then the workers."""
        return [round(one / 1024, 1) for one in measure.pss_kilobytes_of_each(self.child.pid)]

    def _is_ready(self) -> bool:
        try:
            return bool(self.admin("/readyz"))
        except (urllib.error.URLError, OSError):
            return False
