"""Against the real API server: what is ours is written, and nothing else, whatever happens right before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from entryproxy.controller import object_writer
from entryproxy.controller.object_writer import ObjectWriter
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.provision.actions import reference_of
from entryproxy.provision.state import Reference
from tests.cluster.api import ApiError as Refused
from tests.cluster.cluster import Cluster
from tests.e2e.gateways import wait_until

OURS = {"app.kubernetes.io/managed-by": "entryproxy", "entryproxy.higress.io/owner": "acme"}
HELMS = {"app.kubernetes.io/managed-by": "Helm"}


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with await connect(str(cluster.admin_kubeconfig)) as one:
        yield one


@pytest.fixture
def writer(client: ClusterClient) -> ObjectWriter:
    return ObjectWriter(client)


def config_map(namespace: str, *, labels: dict[str, str] = OURS, **data: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": "a", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"k": "v"}}


def read(cluster: Cluster, namespace: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = cluster.api.get(f"/api/v1/namespaces/{namespace}/configmaps/a")
    except Refused as error:
        assert error.status == 404
        return None
    return document


def data(cluster: Cluster, namespace: str) -> dict[str, str]:
    document = read(cluster, namespace)
    assert document is not None
    words: dict[str, str] = document["data"]
    return words


class Meddled(ClusterClient):
    """A client that lets somebody in between its reads and what it does next."""

    def __init__(self, client: ClusterClient, meddle: Any) -> None:
        self._inner, self._meddle = client, meddle

    async def get(self, *arguments: Any, **options: Any) -> bytes:
        try:
            return await self._inner.get(*arguments, **options)
        finally:
            self._meddle()

    async def apply(self, *arguments: Any, **options: Any) -> bytes:
        return await self._inner.apply(*arguments, **options)

    async def delete(self, *arguments: Any, **options: Any) -> bytes:
        return await self._inner.delete(*arguments, **options)


# -- apply


async def test_made_and_made_right_again(cluster: Cluster, namespace: str, writer: ObjectWriter) -> None:
    await writer.apply(config_map(namespace, k="v", old="1"), "acme")
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    cluster.api.patch(path, {"data": {"k": "edited", "theirs": "1"}})
    await writer.apply(config_map(namespace, k="v"), "acme")
    assert data(cluster, namespace) == {"k": "v", "theirs": "1"}


@pytest.mark.parametrize("labels", [{}, HELMS, {**OURS, "entryproxy.higress.io/owner": "other"}])
async def test_somebody_elses_is_not_taken_over(
    cluster: Cluster, namespace: str, writer: ObjectWriter, labels: dict[str, str]
) -> None:
    cluster.api.create(config_map(namespace, labels=labels, k="theirs"))
    before = read(cluster, namespace)
    with pytest.raises(ApiError, match=f"ConfigMap {namespace}/a was made by somebody else") as refused:
        await writer.apply(config_map(namespace), "acme")
    assert (refused.value.reason, read(cluster, namespace)) == ("NotOurs", before)


async def test_one_that_somebody_makes_meanwhile(cluster: Cluster, namespace: str, client: ClusterClient) -> None:
    meddled = Meddled(client, lambda: cluster.api.create(config_map(namespace, labels={}, k="theirs")))
    with pytest.raises(ApiError, match="Apply failed with 1 conflict") as refused:
        await ObjectWriter(meddled).apply(config_map(namespace), "acme")
    assert (refused.value.status, data(cluster, namespace)) == (409, {"k": "theirs"})


async def test_one_that_somebody_replaces_meanwhile(cluster: Cluster, namespace: str, client: ClusterClient) -> None:
    cluster.api.create(config_map(namespace))

    def replace() -> None:
        cluster.api.delete(f"/api/v1/namespaces/{namespace}/configmaps/a")
        cluster.api.create(config_map(namespace, labels={}, k="theirs"))

    writer = ObjectWriter(Meddled(client, replace))
    with pytest.raises(ApiError):
        await writer.apply(config_map(namespace), "acme")
    assert data(cluster, namespace) == {"k": "theirs"}


async def test_a_namespace_that_is_going(cluster: Cluster, namespace: str, writer: ObjectWriter) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-going", "labels": OURS}}
    await writer.apply(manifest, "acme")
    held = {**config_map(f"{namespace}-going")}
    held["metadata"] = {**held["metadata"], "finalizers": ["example.com/stays"]}
    cluster.api.create(held)
    await writer.delete(reference_of(manifest), "acme")
    await writer.delete(reference_of(manifest), "acme")  # again, while it is going
    with pytest.raises(ApiError, match=f"Namespace {namespace}-going is being deleted"):
        await writer.apply(manifest, "acme")
    with pytest.raises(ApiError, match="because it is being terminated"):
        await writer.apply({**config_map(f"{namespace}-going"), "kind": "Secret", "data": {}}, "acme")
    path = f"/api/v1/namespaces/{namespace}-going/configmaps/a"
    cluster.api.patch(path, {"metadata": {"finalizers": None}})


# -- delete


async def test_deleted_whether_it_is_there_or_not(cluster: Cluster, namespace: str, writer: ObjectWriter) -> None:
    manifest = config_map(namespace)
    cluster.api.create(manifest)
    for _ in range(2):
        await writer.delete(reference_of(manifest), "acme")
        assert read(cluster, namespace) is None
    await writer.delete(Reference("nobody.example.com/v1", "Thing", namespace, "a"), "acme")


async def test_what_it_owns_goes_after_it(cluster: Cluster, namespace: str, writer: ObjectWriter) -> None:
    owner = cluster.api.create(config_map(namespace))["metadata"]
    of = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": owner["uid"]}
    owned = {"namespace": namespace, "name": "owned", "ownerReferences": [of]}
    cluster.api.create({"apiVersion": "v1", "kind": "Secret", "metadata": owned})
    await writer.delete(reference_of(config_map(namespace)), "acme")
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    wait_until(lambda: not cluster.api.get(secrets)["items"], "what it owned stays")


@pytest.mark.parametrize(
    ("labels", "release", "is_deleted"),
    [
        (OURS, "", True),
        ({}, "acme", False),
        ({**OURS, "entryproxy.higress.io/owner": "other"}, "acme", False),
        (HELMS, "acme", True),
        (HELMS, "other", False),
        (HELMS, "", False),
    ],
)
async def test_whose_it_is_decides(
    cluster: Cluster, namespace: str, writer: ObjectWriter, labels: dict[str, str], release: str, is_deleted: bool
) -> None:
    manifest = config_map(namespace, labels=labels)
    manifest["metadata"]["annotations"] = {"meta.helm.sh/release-name": "acme"}
    cluster.api.create(manifest)
    if is_deleted:
        await writer.delete(reference_of(manifest), "acme", release)
    else:
        with pytest.raises(ApiError, match="somebody else"):
            await writer.delete(reference_of(manifest), "acme", release)
    assert (read(cluster, namespace) is None) is is_deleted


async def test_the_next_of_its_name_is_not_deleted(cluster: Cluster, namespace: str, client: ClusterClient) -> None:
    manifest = config_map(namespace)
    cluster.api.create(manifest)

    def replace() -> None:
        cluster.api.delete(f"/api/v1/namespaces/{namespace}/configmaps/a")
        cluster.api.create(manifest)

    with pytest.raises(ApiError, match="does not match the UID in record"):
        await ObjectWriter(Meddled(client, replace)).delete(reference_of(manifest), "acme")
    assert read(cluster, namespace) is not None


# -- define


def definition(namespace: str, version: str = "v1") -> dict[str, Any]:
    group = f"{namespace}.example.com"
    names = {"kind": "Thing", "plural": "things"}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


async def test_a_definition(cluster: Cluster, namespace: str, client: ClusterClient) -> None:
    """Two tenants make it at the same time; whoever comes later, with another version, changes nothing."""
    writers = [ObjectWriter(client) for _ in range(2)]
    await asyncio.gather(*(writer.define(definition(namespace)) for writer in writers))
    listed = json.loads(await client.get(f"/apis/{namespace}.example.com/v1"))
    assert "things" in [one["name"] for one in listed["resources"]]
    await writers[0].define(definition(namespace, "v2"))
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    there = cluster.api.get(f"{path}/things.{namespace}.example.com")
    assert [version["name"] for version in there["spec"]["versions"]] == ["v1"]
    # the same kind is known by another name already: never established
    twin = definition(namespace)
    twin["metadata"]["name"] = f"twins.{namespace}.example.com"
    twin["spec"]["names"] = {"kind": "Thing", "plural": "twins"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_writer, "ESTABLISHED_SECONDS_MAX", 0.5)
        with pytest.raises(ApiError, match=r"not established after 0\.5 s"):
            await writers[0].define(twin)
    for name in ("things", "twins"):
        cluster.api.delete(f"{path}/{name}.{namespace}.example.com")
