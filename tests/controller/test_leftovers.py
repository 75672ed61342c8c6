from __future__ import annotations

import pytest

from entryproxy.controller.leftovers import find_leftovers
from entryproxy.controller.payload import as_helm_applies
from entryproxy.provision.state import Reference
from tests.cluster.cluster import Cluster
from tests.controller.installed import RBAC, recording_client


def manifest(group_version: str, kind: str, name: str) -> dict[str, object]:
    return {"apiVersion": group_version, "kind": kind, "metadata": {"name": name}}


@pytest.fixture
def left(cluster: Cluster, namespace: str) -> list[Reference]:
    """A release's objects in its namespace, in one that it watched, and in the whole cluster."""
    watched = cluster.new_namespace()
    made = []
    for group_version, kind, where in (
        (RBAC, "ClusterRole", ""),
        (RBAC, "Role", watched),
        ("v1", "ServiceAccount", namespace),
        ("v1", "ConfigMap", namespace),
        (RBAC, "Role", namespace),
    ):
        one = as_helm_applies(manifest(group_version, kind, f"{namespace}-left"), "rel", namespace, is_namespaced=False)
        if where:
            one["metadata"]["namespace"] = where
        cluster.api.create(one)
        made.append(Reference(group_version, kind, where, f"{namespace}-left"))
    return made


async def test_found_by_both_annotations(cluster: Cluster, namespace: str, left: list[Reference]) -> None:
    async with recording_client(cluster) as client:
        found = await find_leftovers(client, "rel", [namespace], [])
        assert set(found) == set(left)
        kinds = [one.kind for one in found]
        assert kinds.index("ServiceAccount") > kinds.index("ConfigMap")
        assert await find_leftovers(client, "other", [namespace], []) == ()
        assert await find_leftovers(client, "rel", [left[1].namespace], []) == ()
        assert await find_leftovers(client, "rel", [], []) == ()


async def test_what_goes_with_its_namespace_is_left_out(
    cluster: Cluster, namespace: str, left: list[Reference]
) -> None:
    async with recording_client(cluster) as client:
        found = await find_leftovers(client, "rel", [namespace], [namespace])
    assert set(found) == {one for one in left if one.namespace != namespace}


async def test_without_helms_label_it_is_not_helms(cluster: Cluster, namespace: str, left: list[Reference]) -> None:
    path = f"/apis/{RBAC}/clusterroles/{left[0].name}"
    cluster.api.patch(path, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}})
    async with recording_client(cluster) as client:
        assert left[0] not in await find_leftovers(client, "rel", [namespace], [])
