from __future__ import annotations

import pytest

from tests.cluster.api import collection_path


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "path"),
    [
        ("v1", "ConfigMap", "n", "/api/v1/namespaces/n/configmaps"),
        ("v1", "Namespace", None, "/api/v1/namespaces"),
        ("v1", "Endpoints", "n", "/api/v1/namespaces/n/endpoints"),
        ("apps/v1", "Deployment", "n", "/apis/apps/v1/namespaces/n/deployments"),
        ("networking.k8s.io/v1", "Ingress", "n", "/apis/networking.k8s.io/v1/namespaces/n/ingresses"),
        ("networking.k8s.io/v1", "NetworkPolicy", "n", "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", None, "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ],
)
def test_where_an_object_is_created(version: str, kind: str, namespace: str | None, path: str) -> None:
    metadata = {"name": "a", **({"namespace": namespace} if namespace else {})}

    assert collection_path({"apiVersion": version, "kind": kind, "metadata": metadata}) == path
