from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from entryproxy.cli.access import ClusterAccess
from entryproxy.cli.output import CommandError
from entryproxy.kubernetes.client import PAGE_ITEMS, connect
from tests.kubernetes.api import FakeApi, config_map, secret, status

CONFIG_MAPS = "/api/v1/namespaces/ns/configmaps"
SECRETS = "/api/v1/namespaces/ns/secrets"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


@pytest.fixture
async def access(api: FakeApi, tmp_path: Path) -> AsyncIterator[ClusterAccess]:
    async with await connect(api.kubeconfig(tmp_path)) as client:
        yield ClusterAccess(client, "ns")


async def test_a_reading(api: FakeApi, access: ClusterAccess) -> None:
    await api.put(CONFIG_MAPS, config_map("t1"))
    await api.put(SECRETS, secret("tls"))
    await api.put(SECRETS, {**secret("torn"), "data": {"tls.crt": "?"}})
    reading = await access.read()
    assert [one.reference for one in reading.changed] == ["ConfigMap ns/t1", "Secret ns/tls"]
    assert reading.unread == {"Secret ns/torn"}
    assert [(one.object, one.field) for one in reading.findings] == [("Secret ns/torn", "data.tls.crt")]
    assert api.lists(SECRETS)[0]["fieldSelector"] == "type=kubernetes.io/tls"
    assert [path for path, _ in api.requests] == [CONFIG_MAPS, SECRETS, SLICES]


async def test_an_empty_list_asks_whether_the_namespace_is_there(api: FakeApi, access: ClusterAccess) -> None:
    assert (await access.read()).changed == ()
    assert ("/api/v1/namespaces/ns", {}) in api.requests
    api.fail(status(404, "NotFound", 'namespaces "ns" not found'), when=is_path("/api/v1/namespaces/ns"))
    with pytest.raises(CommandError, match="--namespace names"):
        await access.read()


async def test_who_may_not_see_namespaces_is_believed(api: FakeApi, access: ClusterAccess) -> None:
    api.fail(status(403, "Forbidden"), when=is_path("/api/v1/namespaces/ns"))
    assert (await access.read()).changed == ()


async def test_pages_that_expire_are_read_at_once(api: FakeApi, access: ClusterAccess) -> None:
    for number in range(PAGE_ITEMS + 1):
        await api.put(CONFIG_MAPS, config_map(f"t{number}"))
    api.fail(status(410, "Expired"), when=lambda request: "continue" in request.query)
    assert len((await access.read()).changed) == PAGE_ITEMS + 1
    assert [query.get("limit") for query in api.lists(CONFIG_MAPS)] == [str(PAGE_ITEMS), str(PAGE_ITEMS), None]


async def test_slices_that_may_not_be_listed_are_a_finding_where_they_count(
    api: FakeApi, access: ClusterAccess
) -> None:
    await api.put(CONFIG_MAPS, config_map("t1"))
    api.fail(status(403, "Forbidden", "not you"), times=2, when=is_path(SLICES))
    assert (await access.read()).findings == ()
    await api.put(CONFIG_MAPS, config_map("t2", {"tenant.yaml": "gateway: {balance: endpoints}"}))
    (finding,) = (await access.read()).findings
    assert (finding.severity, finding.reason, finding.object) == ("warning", "Forbidden", "EndpointSlices */?")
    assert "endpointslices.discovery.k8s.io --all-namespaces" in finding.message
    assert "not you" in finding.message


@pytest.mark.parametrize("path", [CONFIG_MAPS, SECRETS, SLICES])
async def test_a_list_that_fails(path: str, api: FakeApi, access: ClusterAccess) -> None:
    api.fail(status(500, "InternalError", "etcd is away"), when=is_path(path))
    with pytest.raises(CommandError, match="etcd is away"):
        await access.read()


async def test_labelled_objects_in_pages(api: FakeApi, access: ClusterAccess) -> None:
    for number in range(PAGE_ITEMS + 1):
        await api.put(SECRETS, secret(f"s{number:03}"))
    found = await access.list_of("Secret", "t1")
    assert len(found) == PAGE_ITEMS + 1
    assert (found[1]["kind"], found[1]["metadata"]["name"]) == ("Secret", "s001")
    assert api.lists(SECRETS)[0]["labelSelector"] == "entryproxy.higress.io/tenant=t1"


async def test_what_is_missing(api: FakeApi, access: ClusterAccess) -> None:
    api.fail(status(404, "NotFound"))
    assert await access.get("ConfigMap", "t1") is None
    api.fail(status(404, "NotFound"))
    assert await access.is_missing("Service", "elsewhere", "gateway")
    assert api.requests[-1][0] == "/api/v1/namespaces/elsewhere/services/gateway"
    api.fail(status(403, "Forbidden"))
    assert not await access.is_missing("Service", "elsewhere", "gateway")
    with pytest.raises(CommandError, match="can't get secrets x in namespace ns"):
        api.fail(status(403, "Forbidden"))
        await access.get("Secret", "x")


async def test_answers_that_are_no_kubernetes_object(api: FakeApi, access: ClusterAccess) -> None:
    """Of a proxy in between, say."""
    for body in ("<html>", "[]", '{"a":', "[" * 10_000):
        api.fail(lambda _, body=body: web.Response(text=body), times=2)  # type: ignore[misc]
        with pytest.raises(CommandError, match=r"can't get configmaps t1 .*: The API server's answer can't be read"):
            await access.get("ConfigMap", "t1")
        with pytest.raises(CommandError, match=r"can't list secrets .*: The API server's answer can't be read"):
            await access.list_of("Secret", "t1")


async def test_objects_nested_too_deep_for_the_decoder(api: FakeApi, access: ClusterAccess) -> None:
    deep = f'{{"metadata":{{"name":"t1","managedFields":{"[" * 9_000 + "]" * 9_000}}}}}'
    api.fail(lambda _: web.Response(text=deep))
    found = await access.get("ConfigMap", "t1")
    assert found is not None and found["metadata"]["name"] == "t1"
    api.fail(lambda _: web.Response(text=f'{{"metadata":{{}},"items":[{deep}]}}'))
    assert [one["metadata"]["name"] for one in await access.list_of("Secret", "t1")] == ["t1"]


async def test_applying(api: FakeApi, access: ClusterAccess) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t1"}}
    sent = await access.apply(manifest, dry_run=True)
    assert (sent["method"], sent["kind"]) == ("PATCH", "application/apply-patch+yaml")
    assert sent["query"] == {"fieldManager": "entryproxy", "dryRun": "All"}
    assert "dryRun" not in (await access.apply(manifest, dry_run=False))["query"]
    assert api.requests[-1][0] == f"{CONFIG_MAPS}/t1"


async def test_deleting(api: FakeApi, access: ClusterAccess) -> None:
    manifest = {"kind": "Secret", "metadata": {"name": "s", "uid": "u"}}
    assert await access.delete(manifest, dry_run=True)
    assert api.requests[-1] == (f"{SECRETS}/s", {"uid": "u", "dryRun": "All"})
    api.fail(status(404, "NotFound"))
    assert not await access.delete(manifest, dry_run=False)
    assert api.requests[-1] == (f"{SECRETS}/s", {"uid": "u"})
    api.fail(status(409, "Conflict"))
    with pytest.raises(CommandError, match="can't delete secrets s"):
        await access.delete(manifest, dry_run=False)


def is_path(path: str) -> Callable[[web.Request], bool]:
    return lambda request: request.path == path
