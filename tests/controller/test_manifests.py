from __future__ import annotations

import logging
from base64 import b64encode

import pytest

from entryproxy.config.manifests import parse_documents
from entryproxy.controller.manifests import Manifests
from entryproxy.kubernetes.errors import ApiError
from entryproxy.provision.objects import MANAGED_BY_LABEL
from entryproxy.provision.state import Reference
from tests.charts import chart
from tests.cluster.cluster import Cluster
from tests.controller.installed import CONFIG_MAP, GATEWAY, Installed, recording_client


@pytest.fixture
def gateway(cluster: Cluster, namespace: str) -> Installed:
    """A release in a namespace that nobody else uses."""
    one = Installed(cluster, namespace)
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one.namespace}})
    one.install()
    return one


async def test_what_was_deleted_or_edited_is_found_and_repaired_without_a_revision(
    cluster: Cluster, gateway: Installed
) -> None:
    config, service = gateway.reference("v1", "ConfigMap", CONFIG_MAP), gateway.reference("v1", "Service", GATEWAY)
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)

        async def missing() -> set[Reference]:
            return set(await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()))

        assert await missing() == set()
        assert client.tried
        await gateway.wait_for_status()
        assert await missing() == set()
        client.clear()
        assert await missing() == set()
        assert (client.tried, client.read, client.written) == ([], [], [])
        cluster.kubectl("delete", "configmap", CONFIG_MAP, "--namespace", gateway.namespace)
        cluster.kubectl("delete", "clusterrole", gateway.cluster_role.name)
        cluster.kubectl("delete", "ingressclass", gateway.tenant)
        cluster.api.patch(gateway.path("services", GATEWAY), {"spec": {"selector": {"higress": "elsewhere"}}})
        unlabelled = gateway.reference("v1", "ServiceAccount", "higress-controller")
        label = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
        cluster.api.patch(gateway.path("serviceaccounts", unlabelled.name), label)
        drifted = {config, service, unlabelled, gateway.cluster_role, gateway.ingress_class}
        assert await missing() == drifted
        assert client.tried == [gateway.path("services", GATEWAY)]
        client.clear()
        await manifests.repair(gateway.tenant, gateway.namespace, 1, drifted)
        assert len(client.written) == len(drifted)
        assert await missing() == set()
    assert all(gateway.exists(each) for each in drifted)
    assert cluster.api.get(gateway.path("services", GATEWAY))["spec"]["selector"]["higress"] != "elsewhere"
    assert gateway.helm_revisions() == [1]
    cluster.helm(
        "upgrade", gateway.tenant, "--namespace", gateway.namespace, "--reuse-values", str(chart()), "--skip-crds"
    )
    cluster.helm("uninstall", gateway.tenant, "--namespace", gateway.namespace)
    assert not any(gateway.exists(each) for each in drifted)


async def test_what_a_tenant_adds_is_not_even_looked_at(cluster: Cluster, gateway: Installed) -> None:
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)

        async def look() -> int:
            client.clear()
            assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == ()
            return client.received

        await look()
        before = await look()
        for number in range(20):
            metadata = {"name": f"a-{number}", "namespace": gateway.namespace, "labels": {MANAGED_BY_LABEL: "Helm"}}
            cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        assert await look() <= before + 1


async def test_only_what_is_asked_for_is_repaired(cluster: Cluster, gateway: Installed) -> None:
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)
        cluster.kubectl("delete", "clusterrole", gateway.cluster_role.name)
        cluster.kubectl("delete", "ingressclass", gateway.tenant)
        stranger = gateway.reference("v1", "ConfigMap", "stranger")
        await manifests.repair(gateway.tenant, gateway.namespace, 1, [gateway.ingress_class, stranger])
    assert gateway.exists(gateway.ingress_class)
    assert not gateway.exists(gateway.cluster_role)
    assert not gateway.exists(stranger)


async def test_a_scaled_deployment_is_left_alone_also_when_it_is_repaired(cluster: Cluster, gateway: Installed) -> None:
    deployment = gateway.reference("apps/v1", "Deployment", GATEWAY)
    scale = ("scale", "deployment", GATEWAY, "--namespace", gateway.namespace, "--replicas=5")
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == ()
        cluster.kubectl(*scale)
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == ()
        cluster.api.patch(gateway.deployment(), {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 7}}}})
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == (deployment,)
        await manifests.repair(gateway.tenant, gateway.namespace, 1, [deployment])
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == ()
    spec = cluster.api.get(gateway.deployment())["spec"]
    assert spec["replicas"] == 5
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 7


async def test_another_revision_is_read_anew(cluster: Cluster, gateway: Installed) -> None:
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == ()
        gateway.install("", "gateway.httpPort=8080")
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) != ()
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision(2)) == ()
        manifests.forget(gateway.tenant)
        client.clear()
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision(2)) == ()
        assert client.tried


async def test_one_that_cannot_be_repaired_keeps_no_other_from_it(cluster: Cluster, gateway: Installed) -> None:
    """Whose selector was changed can only be deleted and made again, which is for a person to decide."""
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)
        binding = Reference(gateway.cluster_role.group_version, "ClusterRoleBinding", "", gateway.cluster_role.name)
        cluster.kubectl("delete", "clusterrolebinding", binding.name)
        cluster.kubectl("create", "clusterrolebinding", binding.name, "--clusterrole=view", "--user=nobody")
        cluster.kubectl("delete", "ingressclass", gateway.tenant)
        drifted = await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision())
        assert set(drifted) == {binding, gateway.ingress_class}
        with pytest.raises(ApiError, match="roleRef"):
            await manifests.repair(gateway.tenant, gateway.namespace, 1, drifted)
        assert await manifests.missing(gateway.tenant, gateway.namespace, gateway.revision()) == (binding,)


async def test_a_secret_that_helm_did_not_write_is_not_believed(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = Installed(cluster, namespace)
    one.namespace = namespace
    release = b64encode(b64encode(b"hidden")).decode()
    metadata = {"name": f"sh.helm.release.v1.{namespace}.v1", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "helm.sh/release.v1"}
    cluster.api.create({**secret, "data": {"release": release}})
    async with recording_client(cluster) as client:
        manifests = Manifests(client, parse_documents)
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert await manifests.missing(namespace, namespace, one.revision()) == ()
        assert [record.getMessage() for record in caplog.records] == [
            f"revision 1 of release {namespace}/{namespace}: It isn't gzip"
        ]
        with pytest.raises(ApiError, match="It isn't gzip"):
            await manifests.repair(namespace, namespace, 1, [one.cluster_role])
        with pytest.raises(ApiError) as gone:
            await manifests.missing(namespace, namespace, one.revision(2))
        assert gone.value.status == 404
