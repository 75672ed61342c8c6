"""Every object of a cluster, so that what is left of a tenant shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster

Identity = tuple[str, str, str]
"""Kind with its group, namespace or "", name."""
DEFINITION = "CustomResourceDefinition.apiextensions.k8s.io"
_PASSING_KINDS = frozenset({"Event", "Event.events.k8s.io", "ComponentStatus"})
"""They come and go by themselves."""
_PASSING = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
"""Kubernetes puts them into every namespace, some time after it was made."""

_REFUSAL_SECONDS_MAX = 10.0
_RETRY_SECONDS = 0.1


def list_everything(cluster: Cluster, *, besides: frozenset[str] = frozenset({DEFINITION})) -> frozenset[Identity]:
    """All objects of all kinds, but Events, leases of Kubernetes itself, and the kinds in `besides`."""
    found: set[Identity] = set()
    for path, kind in _collections(cluster):
        if kind in _PASSING_KINDS or kind in besides:
            continue
        for item in _items(cluster, path):
            namespace, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]
            is_own_lease = kind == "Lease.coordination.k8s.io" and namespace.startswith("kube-")
            if not is_own_lease and (kind, name) not in _PASSING:
                found.add((kind, namespace, name))
    return frozenset(found)


def _collections(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Path and kind of everything that can be listed, in each group's preferred version."""
    groups = cluster.api.get("/apis")["groups"]
    for root in ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]:
        group = root.split("/")[2] if root.startswith("/apis/") else ""
        for resource in _resources(cluster, root):
            if "/" not in resource["name"] and "list" in resource["verbs"]:
                yield f"{root}/{resource['name']}", f"{resource['kind']}.{group}".rstrip(".")


def _resources(cluster: Cluster, root: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _unless_gone(cluster, root).get("resources", [])
    return found


def _items(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _unless_gone(cluster, path).get("items") or []
    return found


def _unless_gone(cluster: Cluster, path: str) -> dict[str, Any]:
    """Nothing when a definition of custom resources was deleted since we learnt of it."""
    deadline = time.monotonic() + _REFUSAL_SECONDS_MAX
    while True:
        try:
            found: dict[str, Any] = cluster.api.get(path)
        except ApiError as error:
            if error.status == 404:
                return {}
            if error.status != 429 or time.monotonic() > deadline:  # the storage of a new definition takes a while
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return found


def wait_for_listing(cluster: Cluster, expected: frozenset[Identity], seconds: float) -> None:
    """Until there is exactly what is expected: what Kubernetes itself collects goes a little later."""
    deadline = time.monotonic() + seconds
    while difference := list_everything(cluster) ^ expected:
        assert time.monotonic() < deadline, sorted(difference)
        time.sleep(_RETRY_SECONDS)
