from __future__ import annotations

import time
from typing import Any

from entryproxy.controller.holders import Holder, list_holders
from entryproxy.model.objects import FINALIZER, PROVISIONED_LABEL, STATUS_ANNOTATION, TENANT_LABEL
from tests.cluster.cluster import Cluster
from tests.controller.installed import recording_client


async def test_holders_are_found_by_their_label_whatever_else_was_taken_away(cluster: Cluster, namespace: str) -> None:
    def make(name: str, labels: dict[str, str], *finalizers: str) -> str:
        metadata = {"name": name, "namespace": namespace, "labels": labels, "finalizers": list(finalizers)}
        made: dict[str, Any] = cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        return str(made["metadata"]["uid"])

    held = {PROVISIONED_LABEL: "acme", TENANT_LABEL: "acme"}
    uids = {
        "b": make("b", held, FINALIZER),
        "a": make("a", {PROVISIONED_LABEL: "acme"}, FINALIZER, "other.example.com/one"),
        "c": make("c", {PROVISIONED_LABEL: "umbrella", TENANT_LABEL: "acme"}),
    }
    make("d", {TENANT_LABEL: "acme"}, FINALIZER)
    status = {"metadata": {"annotations": {STATUS_ANNOTATION: "told"}}}
    cluster.api.patch(f"/api/v1/namespaces/{namespace}/configmaps/a", status)
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/configmaps/b")
    async with recording_client(cluster) as client:
        found = await list_holders(client, namespace)
        assert await list_holders(client, namespace, "umbrella") == {"umbrella": found["umbrella"]}
    (kept, going), (other,) = found.pop("acme"), found.pop("umbrella")
    assert not found
    assert kept == Holder(tenant="acme", name="a", uid=uids["a"], namespace=namespace, status="told")
    assert abs(going.deleted_at - time.time()) < 60
    assert going == Holder(
        tenant="acme", name="b", uid=uids["b"], tenant_label="acme", deleted_at=going.deleted_at, namespace=namespace
    )
    assert going.source == f"{namespace}/b"
    assert other == Holder(
        tenant="umbrella", name="c", uid=uids["c"], tenant_label="acme", has_finalizer=False, namespace=namespace
    )
