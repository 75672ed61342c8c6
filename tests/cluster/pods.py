"""Pods without a kubelet: their status is written by the test, and controllers believe it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster

_ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclasses.dataclass(frozen=True, slots=True)
class FakePod:
    """A pod that seems to run at an address."""

    cluster: Cluster
    namespace: str
    name: str
    ip: str

    def set_ready(self, is_ready: bool) -> None:
        """What its readiness probe would say."""
        condition = {"type": "Ready", "status": str(is_ready)}
        status = {
            "phase": "Running",
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "conditions": [condition],
        }
        self.cluster.api.patch(f"{self._path}/status", {"status": status}, "strategic-merge-patch")

    def terminate(self, grace_seconds: int = 30) -> None:
        """Delete it as a rollout does: it is terminating, and still serving, until `remove`."""
        self.cluster.api.delete(self._path, grace_seconds)

    def remove(self) -> None:
        """It has ended."""
        self.cluster.api.delete(self._path, 0)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"


def run_fake_pod(
    cluster: Cluster,
    namespace: str,
    labels: Mapping[str, str],
    ip: str,
    *,
    ready: bool = True,
    zone: str | None = None,
    ports: Mapping[str, int] | None = None,
) -> FakePod:
    """A pod that seems to run on a node of `zone`.

    ip: anything but a loopback address, which the API server doesn't let endpoints have.
    ports: name → number of its container's ports, for Services whose targetPort is a name.
    """
    container: dict[str, Any] = {"name": "main", "image": "none.invalid/none"}
    if ports:
        container["ports"] = [{"name": name, "containerPort": number} for name, number in ports.items()]
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "pod-", "namespace": namespace, "labels": dict(labels)},
        "spec": {"nodeName": _ensure_node(cluster, zone), "containers": [container]},
    }
    name = cluster.api.create(document)["metadata"]["name"]
    pod = FakePod(cluster, namespace, name, ip)
    pod.set_ready(ready)
    return pod


def _ensure_node(cluster: Cluster, zone: str | None) -> str:
    """The name of a node in a zone, of one that has no zone with None."""
    name = f"node-{zone or 'nowhere'}"
    labels = {_ZONE_LABEL: zone} if zone else {}
    try:
        cluster.api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
    except ApiError as error:
        if error.status != 409:
            raise
    return name
