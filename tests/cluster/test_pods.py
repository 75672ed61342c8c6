"""The endpointslice controller follows pods that no kubelet runs: what it writes is what the entry reads."""

from __future__ import annotations

from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.pods import run_fake_pod
from tests.e2e.gateways import wait_until

TENANT_LABEL = "entryproxy.higress.io/tenant"


def test_slices_carry_the_services_labels_and_the_pods_addresses(cluster: Cluster, namespace: str) -> None:
    _make_service(cluster, namespace)
    run_fake_pod(cluster, namespace, {"app": "gateway"}, "198.51.100.7", zone="zone-a", ports={"web": 8080})

    (endpoint,) = _wait_for(cluster, namespace, lambda found: len(found) == 1)

    assert endpoint["addresses"] == ["198.51.100.7"]
    assert endpoint["zone"] == "zone-a"
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    (piece,) = _slices(cluster, namespace)
    assert piece["metadata"]["labels"][TENANT_LABEL] == "alpha"
    assert [(port["name"], port["port"]) for port in piece["ports"]] == [("http", 8080)]


def test_readiness_and_the_end_of_a_pod(cluster: Cluster, namespace: str) -> None:
    _make_service(cluster, namespace)
    pod = run_fake_pod(cluster, namespace, {"app": "gateway"}, "198.51.100.8", ready=False, ports={"web": 8080})
    _wait_for(cluster, namespace, lambda found: _conditions(found) == [(False, False, False)])

    pod.set_ready(True)
    _wait_for(cluster, namespace, lambda found: _conditions(found) == [(True, True, False)])

    pod.terminate()
    _wait_for(cluster, namespace, lambda found: _conditions(found) == [(False, True, True)])

    pod.remove()
    _wait_for(cluster, namespace, lambda found: found == [])


def test_pods_without_a_zone(cluster: Cluster, namespace: str) -> None:
    _make_service(cluster, namespace)
    run_fake_pod(cluster, namespace, {"app": "gateway"}, "198.51.100.9", ports={"web": 8080})

    (endpoint,) = _wait_for(cluster, namespace, lambda found: len(found) == 1)

    assert "zone" not in endpoint


def _make_service(cluster: Cluster, namespace: str) -> None:
    port = {"name": "http", "port": 80, "targetPort": "web"}
    metadata = {"name": "gateway", "namespace": namespace, "labels": {TENANT_LABEL: "alpha"}}
    spec = {"selector": {"app": "gateway"}, "ports": [port]}
    cluster.api.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def _slices(cluster: Cluster, namespace: str) -> list[Any]:
    items: list[Any] = cluster.api.get(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")["items"]
    return items


def _wait_for(cluster: Cluster, namespace: str, is_wanted: Any) -> list[Any]:
    found: list[Any] = []

    def is_there() -> bool:
        found[:] = [endpoint for piece in _slices(cluster, namespace) for endpoint in piece.get("endpoints") or []]
        return bool(is_wanted(found))

    wait_until(is_there, f"the controller never came to it: {found}", 20)
    return found


def _conditions(found: list[Any]) -> list[tuple[bool, bool, bool]]:
    return [
        (conditions["ready"], conditions["serving"], conditions["terminating"])
        for conditions in (endpoint["conditions"] for endpoint in found)
    ]
