"""The source on a real API server, by a ServiceAccount that may do what the chart lets it, and nothing more."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from entryproxy.config.kubernetes.source import KubernetesSource
from entryproxy.model.objects import TENANT_LABEL, LabelledEndpointSlice, LabelledObject, LabelledSecret
from entryproxy.model.reading import Reading
from tests.cluster.cluster import Account, Cluster
from tests.cluster.entry.rights import Rights
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Torn, both, empty_list, failure, is_list, is_next_page, is_watch, of, with_token

MANY = 2_000


def config_map(namespace: str, name: str, tenant: str | None = None, **data: str) -> dict[str, Any]:
    labels = {TENANT_LABEL: tenant} if tenant is not None else {}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(namespace: str, name: str, tenant: str, kind: str = "kubernetes.io/tls") -> dict[str, Any]:
    value = base64.b64encode(name.encode()).decode()
    metadata = {"name": name, "namespace": namespace, "labels": {TENANT_LABEL: tenant}}
    data = {"tls.crt": value, "tls.key": value}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "data": data}


def endpoint_slice(namespace: str, name: str, tenant: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {TENANT_LABEL: tenant, "kubernetes.io/service-name": "higress-gateway"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": ["198.51.100.7"], "conditions": {"ready": True}, "zone": "a"}],
    }


class Followed:
    """A source at work and what it has told so far. reading: the last one."""

    def __init__(self, source: KubernetesSource, ticks: AsyncGenerator[float, None]) -> None:
        self.source = source
        self.objects: dict[str, LabelledObject] = {}
        self.removed: list[str] = []
        self.reading = Reading()
        self._ticks = ticks

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await anext(self._ticks)
            self.reading = self.source.load()
            self.objects |= {one.reference: one for one in self.reading.changed}
            self.removed += self.reading.removed
            for reference in self.reading.removed:
                self.objects.pop(reference, None)

    def has(self, *references: str) -> Callable[[], bool]:
        """Exactly these objects, but for those of other namespaces' tests."""
        return lambda: {one for one in self.objects if not one.startswith("EndpointSlice")} == set(references)


@asynccontextmanager
async def follow(account: Account, namespace: str) -> AsyncIterator[Followed]:
    source = KubernetesSource(namespace=namespace, kubeconfig=str(account.kubeconfig))
    async with asyncio.timeout(60), aclosing(source.watch()) as ticks:
        yield Followed(source, ticks)


@pytest.fixture
def rights(cluster: Cluster, namespace: str) -> Rights:
    rights = Rights.of_chart(namespace)
    for document in rights.documents:
        cluster.api.create(document)
    return rights


@pytest.fixture
def account(cluster: Cluster, namespace: str, rights: Rights, fault_proxy: FaultProxy) -> Account:
    """Of the entry, with the fault proxy in the way."""
    return cluster.service_account_kubeconfig(namespace, rights.account, fault_proxy.url)


async def test_objects_come_change_and_go(cluster: Cluster, namespace: str, account: Account) -> None:
    cluster.api.create(config_map(namespace, "a", "a"))
    cluster.api.create(secret(namespace, "a-tls", "a"))
    a, tls = f"ConfigMap {namespace}/a", f"Secret {namespace}/a-tls"
    async with follow(account, namespace) as followed:
        await followed.until(followed.has(a, tls))
        assert (followed.reading.findings, followed.reading.error) == ((), "")
        certificate = followed.objects[tls]
        assert isinstance(certificate, LabelledSecret)
        assert (certificate.certificate_pem, certificate.key_pem.reveal()) == (b"a-tls", b"a-tls")
        assert certificate.created.endswith(".000000Z")
        patch = {"data": {"tls.crt": base64.b64encode(b"new").decode()}}
        cluster.api.patch(f"/api/v1/namespaces/{namespace}/secrets/a-tls", patch)
        await followed.until(lambda: getattr(followed.objects[tls], "certificate_pem", b"") == b"new")
        cluster.api.delete(f"/api/v1/namespaces/{namespace}/configmaps/a")
        await followed.until(followed.has(tls))
        cluster.api.create(config_map(namespace, "a", "a"))
        await followed.until(followed.has(a, tls))


async def test_the_label_makes_the_difference(cluster: Cluster, namespace: str, account: Account) -> None:
    cluster.api.create(config_map(namespace, "a"))
    reference = f"ConfigMap {namespace}/a"
    async with follow(account, namespace) as followed:
        await followed.until(lambda: not followed.reading.error and followed.source.load() == Reading())
        for tenant in ("a", "b"):
            label = f"{TENANT_LABEL}={tenant}"
            cluster.kubectl("label", "--overwrite", "--namespace", namespace, "configmap/a", label)
            await followed.until(lambda: reference in followed.objects and followed.objects[reference].tenant == tenant)  # noqa: B023
        cluster.kubectl("label", "--namespace", namespace, "configmap/a", f"{TENANT_LABEL}-")
        await followed.until(followed.has())
        assert followed.removed == [reference]


async def test_secrets_of_another_type_and_of_other_namespaces_are_never_read(
    cluster: Cluster, namespace: str, account: Account
) -> None:
    other = cluster.new_namespace()
    cluster.api.create(secret(namespace, "helm", "a", "helm.sh/release.v1"))
    cluster.api.create(secret(namespace, "opaque", "a", "Opaque"))
    cluster.api.create(secret(other, "elsewhere", "a"))
    async with follow(account, namespace) as followed:
        cluster.api.create(secret(namespace, "opaque-too", "a", "Opaque"))
        cluster.api.create(secret(namespace, "ours", "a"))
        await followed.until(followed.has(f"Secret {namespace}/ours"))
        assert followed.reading.findings == ()


async def test_endpoint_slices_of_any_namespace(cluster: Cluster, namespace: str, account: Account) -> None:
    other = cluster.new_namespace()
    reference = f"EndpointSlice {other}/gateway"
    async with follow(account, namespace) as followed:
        cluster.api.create(endpoint_slice(other, "gateway", "a"))
        await followed.until(lambda: reference in followed.objects)
        one = followed.objects[reference]
        assert isinstance(one, LabelledEndpointSlice)
        assert (one.service, one.ports[0].number, one.endpoints[0].address) == ("higress-gateway", 8080, "198.51.100.7")
        cluster.api.delete(f"/apis/discovery.k8s.io/v1/namespaces/{other}/endpointslices/gateway")
        await followed.until(lambda: reference not in followed.objects)


async def test_one_object_nested_too_deep_keeps_no_other_from_being_read(
    cluster: Cluster, namespace: str, account: Account
) -> None:
    """Whoever may write one EndpointSlice, in a namespace of its own, may write its managed fields."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{cluster.new_namespace()}/endpointslices"
    poison = {"fieldsType": "FieldsV1", "fieldsV1": "@", "manager": "m", "operation": "Update"}
    slices = []
    for name in ("deep", "deeper"):
        manifest = endpoint_slice("", name, "a")
        manifest["metadata"] = {**manifest["metadata"], "managedFields": [{**poison, "apiVersion": "v1"}]}
        del manifest["metadata"]["namespace"]
        slices.append(json.dumps(manifest).encode().replace(b'"@"', b'{"f:a":' * 9_900 + b"{}" + b"}" * 9_900))
    cluster.api.raw("POST", path, slices[0])
    cluster.api.create(endpoint_slice(namespace, "healthy", "b"))
    try:
        async with follow(account, namespace) as followed:
            await followed.until(lambda: f"EndpointSlice {namespace}/healthy" in followed.objects)
            cluster.api.raw("POST", path, slices[1])
            cluster.api.create(endpoint_slice(namespace, "later", "b"))
            await followed.until(lambda: f"EndpointSlice {namespace}/later" in followed.objects)
            assert {one.rpartition("/")[2] for one in followed.objects} >= {"deep", "deeper"}
            assert (followed.reading.findings, followed.reading.error) == ((), "")
    finally:
        cluster.api.delete(path)  # the other tests' own clients would stumble, too
        cluster.api.delete(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")


async def test_missing_permissions_are_named_until_they_are_there(
    cluster: Cluster, namespace: str, fault_proxy: FaultProxy
) -> None:
    rights = Rights.of_chart(namespace)
    account = cluster.service_account_kubeconfig(namespace, rights.account, fault_proxy.url)
    async with follow(account, namespace) as followed:
        await followed.until(lambda: len(followed.reading.findings) == 3)
        said = {one.object: one.message for one in followed.reading.findings}
        assert set(said) == {f"ConfigMaps {namespace}/?", f"Secrets {namespace}/?", "EndpointSlices */?"}
        message = said[f"Secrets {namespace}/?"]
        assert f'"kubectl auth can-i list secrets --namespace {namespace}"' in message
        assert f'User "{account.user}" cannot list resource "secrets"' in message
        assert "list endpointslices.discovery.k8s.io --all-namespaces" in said["EndpointSlices */?"]
        assert followed.reading.error
        for document in rights.documents:
            if document["kind"] != "ServiceAccount":
                cluster.api.create(document)
        followed.source.request_reload()  # or wait for the next try
        cluster.api.create(config_map(namespace, "a", "a"))
        await followed.until(lambda: followed.objects and not followed.reading.findings)
        assert followed.reading.error == ""


async def test_rights_that_are_taken_away(
    cluster: Cluster, namespace: str, account: Account, rights: Rights, fault_proxy: FaultProxy
) -> None:
    cluster.api.create(config_map(namespace, "a", "a"))
    reference = f"ConfigMap {namespace}/a"
    async with follow(account, namespace) as followed:
        await followed.until(followed.has(reference))
        role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{rights.named('RoleBinding')}"
        cluster.api.delete(role)
        fault_proxy.cut()  # an open watch goes on
        await followed.until(lambda: "Forbidden" in followed.reading.error)
        assert followed.has(reference)()


async def test_a_rotated_token(cluster: Cluster, namespace: str, account: Account, fault_proxy: FaultProxy) -> None:
    old = account.token_file.read_text()
    async with follow(account, namespace) as followed:
        cluster.api.create(config_map(namespace, "a", "a"))
        await followed.until(followed.has(f"ConfigMap {namespace}/a"))
        new = cluster.rotate_token(account)
        fault_proxy.inject(failure(401), with_token(old), times=None)  # as if it had expired
        fault_proxy.cut()
        cluster.api.create(config_map(namespace, "b", "b"))
        await followed.until(followed.has(f"ConfigMap {namespace}/a", f"ConfigMap {namespace}/b"))
        assert fault_proxy.received(both(with_token(new), is_watch))
        assert not followed.removed


@pytest.mark.parametrize("fault", ["event", "answer"])
async def test_an_expired_version(
    cluster: Cluster, namespace: str, account: Account, fault_proxy: FaultProxy, fault: str
) -> None:
    cluster.api.create(config_map(namespace, "a", "a"))
    async with follow(account, namespace) as followed:
        await followed.until(followed.has(f"ConfigMap {namespace}/a"))
        while len(fault_proxy.received(is_watch)) < 3:
            await asyncio.sleep(0.01)
        lists = both(is_list, of("configmaps"))
        if fault == "event":
            while len(fault_proxy.received(lists)) < 2:  # a watch that isn't open yet hears nothing
                fault_proxy.expire(of("configmaps"))
                await asyncio.sleep(0.05)
        else:
            fault_proxy.inject(failure(410), both(is_watch, of("configmaps")))
            fault_proxy.cut()
        cluster.api.create(config_map(namespace, "b", "b"))
        await followed.until(followed.has(f"ConfigMap {namespace}/a", f"ConfigMap {namespace}/b"))
        assert not followed.removed
        assert len(fault_proxy.received(lists)) >= 2


async def test_a_torn_event(cluster: Cluster, namespace: str, account: Account, fault_proxy: FaultProxy) -> None:
    fault_proxy.inject(Torn(after_events=1), both(is_watch, of("configmaps")))
    wanted = [f"ConfigMap {namespace}/{name}" for name in "abcd"]
    async with follow(account, namespace) as followed:
        await followed.until(lambda: followed.source.load() == Reading())
        for name in "abcd":
            cluster.api.create(config_map(namespace, name, name))
        await followed.until(followed.has(*wanted))
        assert len(fault_proxy.received(both(is_list, of("configmaps")))) == 1


async def test_an_empty_list_out_of_the_blue(
    cluster: Cluster, namespace: str, account: Account, fault_proxy: FaultProxy
) -> None:
    wanted = [f"ConfigMap {namespace}/{name}" for name in "abcde"]
    for name in "abcde":
        cluster.api.create(config_map(namespace, name, name))
    async with follow(account, namespace) as followed:
        await followed.until(followed.has(*wanted))
        fault_proxy.inject(empty_list(), both(is_list, of("configmaps")))
        followed.source.request_reload()
        await followed.until(lambda: [one.reason for one in followed.reading.findings] == ["SuddenDrop"])
        assert followed.has(*wanted)()
        await followed.until(lambda: not followed.reading.findings)
        assert followed.has(*wanted)()
        assert not followed.removed


async def test_thousands_and_pages_that_expire(
    cluster: Cluster, namespace: str, account: Account, fault_proxy: FaultProxy
) -> None:
    documents = [config_map(namespace, f"t{number}", f"t{number}") for number in range(MANY)]
    await cluster.create_many([*documents, *(secret(namespace, f"s{number}", f"t{number}") for number in range(MANY))])
    expired = fault_proxy.inject(failure(410), both(is_next_page, of("secrets")), times=2)
    async with follow(account, namespace) as followed:
        await followed.until(lambda: len(followed.objects) >= 2 * MANY)
        assert expired.used == 2
        assert (followed.reading.findings, followed.reading.error) == ((), "")
        assert len(fault_proxy.received(both(is_next_page, of("configmaps")))) == MANY // 500 - 1
        cluster.api.delete(f"/api/v1/namespaces/{namespace}/configmaps")  # all of them, one event each
        await followed.until(lambda: not any(one.startswith("ConfigMap") for one in followed.objects))
        assert len(followed.removed) == MANY
