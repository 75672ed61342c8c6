"""Against the real API server, with others who edit, delete and make the ConfigMap anew."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from entryproxy.controller.finalizers import drop_finalizer, ensure_finalizer
from entryproxy.controller.holders import Holder
from entryproxy.controller.statuses import write_status
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.objects import FINALIZER, PROVISIONED_LABEL, STATUS_ANNOTATION
from entryproxy.model.status import TenantStatus
from tests.cluster.api import ApiError as Refused
from tests.cluster.cluster import Cluster

OTHERS = "example.com/other"


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with await connect(str(cluster.admin_kubeconfig)) as one:
        yield one


class Place:
    """The ConfigMap of a tenant called acme."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.source = f"{namespace}/acme"
        self.path = f"/api/v1/namespaces/{namespace}/configmaps/acme"
        self.uid = self.make()

    def make(self, **metadata: Any) -> str:
        named = {"namespace": self.namespace, "name": "acme", "labels": {"a": "b"}, **metadata}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {"k": "v"}}
        uid: str = self.cluster.api.create(document)["metadata"]["uid"]
        return uid

    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.cluster.api.get(self.path)["metadata"]
        return metadata

    def marks(self) -> tuple[list[str], str | None]:
        metadata = self.metadata()
        return metadata.get("finalizers", []), metadata.get("labels", {}).get(PROVISIONED_LABEL)

    def is_there(self) -> bool:
        try:
            self.metadata()
        except Refused as error:
            assert error.status == 404
            return False
        return True

    def holder(self, tenant: str = "acme") -> Holder:
        return Holder(tenant=tenant, namespace=self.namespace, name="acme", uid=self.uid)


@pytest.fixture
def place(cluster: Cluster, namespace: str) -> Place:
    return Place(cluster, namespace)


class Meddled:
    """A client between whose reads and writes somebody does something, `times` times."""

    def __init__(self, client: ClusterClient, meddle: Callable[[], object], times: int = 1) -> None:
        self._client, self._meddle, self._times = client, meddle, times
        self.get = client.get

    def _now(self) -> None:
        if self._times:
            self._times -= 1
            self._meddle()

    async def apply(self, path: str, body: bytes, field_manager: str, query: Mapping[str, str]) -> bytes:
        self._now()
        return await self._client.apply(path, body, field_manager, query)

    async def replace(self, path: str, body: bytes, query: Mapping[str, str]) -> bytes:
        self._now()
        return await self._client.replace(path, body, query)


async def test_added_once_and_dropped(client: ClusterClient, place: Place) -> None:
    place.cluster.api.patch(place.path, {"metadata": {"finalizers": [OTHERS]}})
    before = place.cluster.api.get(place.path)
    await ensure_finalizer(client, place.source, place.uid, "acme")
    assert (sorted(place.marks()[0]), place.marks()[1]) == (sorted([OTHERS, FINALIZER]), "acme")
    version = place.metadata()["resourceVersion"]
    await ensure_finalizer(client, place.source, place.uid, "acme")
    assert place.metadata()["resourceVersion"] == version
    await write_status(client, place.namespace, "acme", place.uid, TenantStatus(phase="Ready"))

    await drop_finalizer(client, place.holder())
    after = place.cluster.api.get(place.path)
    assert place.marks() == ([OTHERS], None)
    assert STATUS_ANNOTATION not in after["metadata"].get("annotations", {})
    assert (after["data"], after["metadata"]["labels"]) == (before["data"], before["metadata"]["labels"])
    managers = {entry["manager"] for entry in after["metadata"]["managedFields"]}
    assert managers == {entry["manager"] for entry in before["metadata"]["managedFields"]}
    version = after["metadata"]["resourceVersion"]
    await drop_finalizer(client, place.holder())
    assert place.metadata()["resourceVersion"] == version


async def test_what_waits_for_us_goes(client: ClusterClient, place: Place) -> None:
    await ensure_finalizer(client, place.source, place.uid, "acme")
    place.cluster.api.delete(place.path)
    assert place.is_there()
    with pytest.raises(ApiError, match="is being deleted"):
        await ensure_finalizer(client, place.source, place.uid, "acme")
    await drop_finalizer(client, place.holder())
    assert not place.is_there()
    await drop_finalizer(client, place.holder())


async def test_a_copy_that_somebody_applied_holds_nothing(client: ClusterClient, place: Place) -> None:
    """Our finalizer is theirs as well then: what they apply, nobody else's apply takes away."""
    await ensure_finalizer(client, place.source, place.uid, "acme")
    copy = place.cluster.api.get(place.path)
    for field in ("managedFields", "resourceVersion", "uid", "creationTimestamp"):
        del copy["metadata"][field]
    place.cluster.kubectl("apply", "--server-side", "--filename", "-", input=json.dumps(copy))
    await drop_finalizer(client, place.holder())
    assert place.marks() == ([], None)


async def test_one_that_was_deleted_is_not_made_again(client: ClusterClient, place: Place) -> None:
    place.cluster.api.delete(place.path)
    with pytest.raises(ApiError) as refused:
        await ensure_finalizer(client, place.source, place.uid, "acme")
    assert (refused.value.status, place.is_there()) == (404, False)


async def test_one_that_is_deleted_meanwhile_is_not_made_again(client: ClusterClient, place: Place) -> None:
    meddled = Meddled(client, lambda: place.cluster.api.delete(place.path))
    with pytest.raises(ApiError) as refused:
        await ensure_finalizer(meddled, place.source, place.uid, "acme")  # type: ignore[arg-type]
    assert (refused.value.status, place.is_there()) == (404, False)


async def test_one_that_is_made_anew_meanwhile_is_left_alone(client: ClusterClient, place: Place) -> None:
    def replace() -> None:
        place.cluster.api.delete(place.path)
        place.make(finalizers=[FINALIZER])

    with pytest.raises(ApiError, match="is another one by now"):
        await ensure_finalizer(Meddled(client, replace), place.source, place.uid, "acme")  # type: ignore[arg-type]
    assert place.marks() == ([FINALIZER], None)
    await drop_finalizer(client, place.holder())
    assert place.marks() == ([FINALIZER], None)
    place.cluster.api.patch(place.path, {"metadata": {"finalizers": None}})


async def test_edits_meanwhile_are_kept(client: ClusterClient, place: Place) -> None:
    def edit() -> None:
        place.cluster.api.patch(place.path, {"data": {"k": place.metadata()["resourceVersion"]}})

    await ensure_finalizer(Meddled(client, edit, times=2), place.source, place.uid, "acme")  # type: ignore[arg-type]
    edit()
    said = place.cluster.api.get(place.path)["data"]
    await drop_finalizer(Meddled(client, lambda: None), place.holder())  # type: ignore[arg-type]
    assert place.cluster.api.get(place.path)["data"] == said
    await ensure_finalizer(client, place.source, place.uid, "acme")
    await drop_finalizer(Meddled(client, edit, times=2), place.holder())  # type: ignore[arg-type]
    assert place.marks() == ([], None)
    assert place.cluster.api.get(place.path)["data"] != said


async def test_edits_without_end_end_it(client: ClusterClient, place: Place) -> None:
    def edit() -> None:
        place.cluster.api.patch(place.path, {"data": {"k": place.metadata()["resourceVersion"]}})

    with pytest.raises(ApiError) as refused:
        await ensure_finalizer(Meddled(client, edit, times=99), place.source, place.uid, "acme")  # type: ignore[arg-type]
    assert (refused.value.status, refused.value.reason, place.marks()) == (409, "Conflict", ([], None))


async def test_one_tenant_after_the_other(client: ClusterClient, place: Place) -> None:
    """A ConfigMap whose label says another tenant now: the first one's remains are found by ours until they're gone."""
    await ensure_finalizer(client, place.source, place.uid, "acme")
    with pytest.raises(ApiError, match="until tenant acme is taken away"):
        await ensure_finalizer(client, place.source, place.uid, "zeta")
    await drop_finalizer(client, place.holder("zeta"))
    assert place.marks() == ([FINALIZER], "acme")
    await drop_finalizer(client, place.holder("acme"))
    await ensure_finalizer(client, place.source, place.uid, "zeta")
    assert place.marks() == ([FINALIZER], "zeta")
