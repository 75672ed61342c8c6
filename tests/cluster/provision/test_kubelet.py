from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.charts import chart
from tests.cluster.cluster import Cluster, CommandError
from tests.cluster.provision.kubelet import Kubelet, run_time_objects
from tests.cluster.provision.listing import list_everything
from tests.e2e.gateways import wait_until

DEPLOYMENTS = {"higress-controller", "higress-gateway"}
SECONDS = 20.0


@pytest.fixture
def install(defined: Cluster, kubelet: Kubelet, namespace: str) -> Iterator[Callable[..., str]]:
    """Install our chart in the test's namespace, under a name that the namespace has to itself."""

    def run(*options: str) -> str:
        own = ("--set", f"global.ingressClass={namespace}", "--set", "gateway.service.type=ClusterIP")
        return defined.helm(
            "upgrade", "--install", namespace, str(chart()), "-n", namespace, "--skip-crds", *own, *options
        )

    yield run
    defined.helm("uninstall", namespace, "-n", namespace, "--ignore-not-found")


def available(cluster: Cluster, namespace: str) -> set[str]:
    """Deployments whose pods are all there, ready, and of the last template."""
    found = cluster.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"]
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    return {
        one["metadata"]["name"]
        for one in found
        if one["status"].get("observedGeneration") == one["metadata"]["generation"]
        and {one["status"].get(count) for count in counts} == {one["spec"]["replicas"]}
    }


def test_helm_waits_for_the_deployments_and_sees_them(
    cluster: Cluster, namespace: str, install: Callable[..., str]
) -> None:
    install("--wait", "--timeout", f"{SECONDS:g}s")
    assert available(cluster, namespace) == DEPLOYMENTS
    wait_until(lambda: run_time_names(cluster, namespace) <= names(cluster, namespace), "not made", SECONDS)


def test_a_rollout_that_fails_until_it_is_mended(
    cluster: Cluster, namespace: str, kubelet: Kubelet, install: Callable[..., str]
) -> None:
    install("--wait", "--timeout", f"{SECONDS:g}s")
    with kubelet.failing(namespace=namespace, image="broken.invalid/"):
        with pytest.raises(CommandError, match=r"not ready|deadline|timed out"):
            install("--set", "global.hub=broken.invalid/higress", "--wait", "--timeout", "2s")
        assert DEPLOYMENTS - available(cluster, namespace)
    wait_until(lambda: available(cluster, namespace) == DEPLOYMENTS, "it stays broken", SECONDS)


def test_others_are_not_broken_with_it(
    cluster: Cluster, namespace: str, kubelet: Kubelet, install: Callable[..., str]
) -> None:
    with kubelet.failing(namespace=namespace, deployment="higress-gateway"), kubelet.failing(namespace="elsewhere"):
        install()
        wait_until(lambda: available(cluster, namespace) == {"higress-controller"}, "not just one", SECONDS)


def test_what_a_listing_shows_of_a_tenant(
    cluster: Cluster, defined: Cluster, kubelet: Kubelet, namespace: str, install: Callable[..., str]
) -> None:
    """Its cluster-scoped objects, what Kubernetes made of its own, what came at run time, until all of it is gone."""
    before = list_everything(cluster)
    install("--wait", "--timeout", f"{SECONDS:g}s")
    seen = list_everything(cluster) - before
    assert ("IngressClass.networking.k8s.io", "", namespace) in seen
    assert ("ClusterRole.rbac.authorization.k8s.io", "", f"higress-controller-{namespace}") in seen
    assert {kind for kind, where, _ in seen if where == namespace} >= {
        "Pod",
        "Secret",
        "EndpointSlice.discovery.k8s.io",
    }
    assert not any(kind.startswith("Event") for kind, _, _ in seen)

    defined.helm("uninstall", namespace, "-n", namespace)
    wait_until(lambda: not pods(cluster, namespace), "pods stay", SECONDS)
    left = {(kind, name) for kind, _, name in list_everything(cluster) - before}
    assert left == {
        ("ConfigMap", "higress-ca-root-cert"),
        ("ConfigMap", "higress-https"),
        ("Secret", "istio-ca-secret"),
        ("Lease.coordination.k8s.io", "higress-leader"),
    }
    cluster.api.delete(f"/api/v1/namespaces/{namespace}")
    without_it = {one for one in before if namespace not in one}
    wait_until(lambda: list_everything(cluster) <= without_it, "something of the namespace stays", SECONDS)


def pods(cluster: Cluster, namespace: str) -> list[str]:
    return [one["metadata"]["name"] for one in cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]]


def names(cluster: Cluster, namespace: str) -> set[str]:
    return {name for _, where, name in list_everything(cluster) if where == namespace}


def run_time_names(cluster: Cluster, namespace: str) -> set[str]:
    return {one["metadata"]["name"] for one in run_time_objects(namespace)}
