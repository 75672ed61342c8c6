from __future__ import annotations

from typing import Any

from entryproxy.controller.own_objects import OwnObjects
from entryproxy.provision.actions import reference_of
from entryproxy.provision.digests import DIGEST_ANNOTATION, manifest_digest
from entryproxy.provision.objects import MANAGED_BY_LABEL, OWNER_LABEL, SOURCE_ANNOTATION
from entryproxy.provision.state import Reference
from tests.cluster.cluster import Cluster
from tests.controller.installed import Installed, recording_client


def limit_range(namespace: str, name: str, owner: str, cpu: str = "1", digest: str = "") -> dict[str, Any]:
    labels = {MANAGED_BY_LABEL: "entryproxy", OWNER_LABEL: owner}
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": {}},
        "spec": {"limits": [{"type": "Container", "default": {"cpu": cpu}}]},
    }
    manifest["metadata"]["annotations"][DIGEST_ANNOTATION] = digest or manifest_digest(manifest)
    return manifest


async def test_only_this_tenants_are_found_wherever_they_are(cluster: Cluster, namespace: str) -> None:
    elsewhere, tenant = cluster.new_namespace(), namespace
    found = [limit_range(namespace, "a", tenant), limit_range(elsewhere, "b", tenant, digest="-")]
    for manifest in (*found, limit_range(namespace, "c", f"{tenant}-other")):
        cluster.api.create(manifest)
    async with recording_client(cluster) as client:
        seen = await OwnObjects(client, "entry").look(tenant, [])
    assert set(seen) == {reference_of(manifest) for manifest in found}
    assert all(one.is_ours and not one.is_changed for one in seen.values())
    assert seen[reference_of(found[1])].digest == "-"


async def test_another_entry_s_tenant_of_the_same_id_is_not_ours(cluster: Cluster, namespace: str) -> None:
    """What isn't wanted is deleted, a namespace with all that is in it."""
    manifest = limit_range(namespace, "a", namespace)
    cluster.api.create(manifest)
    path = f"/api/v1/namespaces/{namespace}/limitranges/a"
    for source, is_ours in (("other-entry/acme", False), ("entry/renamed", True)):
        cluster.api.patch(path, {"metadata": {"annotations": {SOURCE_ANNOTATION: source}}})
        async with recording_client(cluster) as client:
            assert bool(await OwnObjects(client, "entry").look(namespace, [])) is is_ours
            seen = await OwnObjects(client, "entry").look(namespace, [manifest])
        assert seen[reference_of(manifest)].is_ours is is_ours


async def test_an_older_digest_is_not_asked_about(cluster: Cluster, namespace: str) -> None:
    """It is applied in any case."""
    old, new = limit_range(namespace, "a", namespace), limit_range(namespace, "a", namespace, cpu="2")
    cluster.api.create(old)
    async with recording_client(cluster) as client:
        own = OwnObjects(client, "entry")
        state = (await own.look(namespace, [new]))[reference_of(new)]
        assert (state.digest, state.is_changed) == (old["metadata"]["annotations"][DIGEST_ANNOTATION], False)
        assert client.tried == []
        assert not (await own.look(namespace, [old]))[reference_of(old)].is_changed
        assert len(client.tried) == 1


async def test_a_mark_that_was_taken_away_makes_it_somebody_elses(cluster: Cluster, namespace: str) -> None:
    manifest, other = limit_range(namespace, "a", namespace), Reference("v1", "Namespace", "", namespace)
    cluster.api.create(manifest)
    path = f"/api/v1/namespaces/{namespace}/limitranges/a"
    cluster.api.patch(path, {"metadata": {"labels": {OWNER_LABEL: None}}})
    async with recording_client(cluster) as client:
        seen = await OwnObjects(client, "entry").look(namespace, [manifest], [other])
    assert set(seen) == {reference_of(manifest), other}
    assert not any(one.is_ours or one.digest for one in seen.values())


async def test_everything_that_we_make_is_found_again(cluster: Cluster, namespace: str) -> None:
    gateway = Installed(cluster, namespace)
    desired = gateway.desired()
    async with recording_client(cluster) as client:
        await gateway.make_objects(client, desired)
        seen = await OwnObjects(client, "entry").look(gateway.tenant, [])
    assert set(seen) == {reference_of(manifest) for manifest in desired.objects}
