"""The chart and the examples against a real API server: accepted as they are, and with the rights they say."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster, CommandError
from tests.deploy.chart import CHART, EVERYTHING, EXAMPLES, NAMESPACE, helm, pod_of, render, template

MANIFESTS = sorted(EXAMPLES.glob("**/*.yaml"))
VALUES = [path for path in MANIFESTS if path.name.endswith("values.yaml")]


@pytest.mark.parametrize(
    "values",
    [
        {},
        EVERYTHING,
        {"service": {"type": "NodePort"}, "drain": {"preStop": 0, "delay": 0, "timeout": 0}, "workers": 1},
        {"service": {"type": "ClusterIP"}, "networkPolicy": {"adminFrom": [], "egress": {"gateways": []}}},
    ],
    ids=["defaults", "everything", "node ports", "inside"],
)
def test_the_api_server_takes_the_chart(prepared: Cluster, values: dict[str, Any]) -> None:
    answer = prepared.kubectl("apply", "--dry-run=server", "--filename", "-", input=template(values))
    assert len(answer.splitlines()) == len(render(values))


@pytest.mark.parametrize("path", [path for path in MANIFESTS if path not in VALUES], ids=lambda path: path.name)
def test_the_api_server_takes_the_examples(prepared: Cluster, path: Path) -> None:
    assert "server dry run" in prepared.kubectl("apply", "--dry-run=server", "--filename", str(path))


def test_a_field_that_does_not_exist_is_refused(prepared: Cluster) -> None:
    manifests = template().replace("externalTrafficPolicy:", "externalTrafficPolizy:")
    with pytest.raises(CommandError, match="externalTrafficPolizy"):
        prepared.kubectl("apply", "--dry-run=server", "--filename", "-", input=manifests)


# -- Pod Security


@pytest.fixture
def restricted(cluster: Cluster, namespace: str) -> str:
    """A namespace with Pod Security's strictest level, and the account that the chart's pods run as."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("create", "serviceaccount", "entryproxy", "--namespace", namespace)
    return namespace


def dry_run_pod(cluster: Cluster, namespace: str, spec: Any) -> Any:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "entry", "namespace": namespace}, "spec": spec}
    return cluster.api.post(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)


@pytest.mark.parametrize("values", [{}, {**EVERYTHING, "priorityClassName": ""}], ids=["defaults", "everything"])
def test_pods_are_allowed_where_restricted_is_enforced(
    cluster: Cluster, restricted: str, values: dict[str, Any]
) -> None:
    pod = dry_run_pod(cluster, restricted, pod_of(render(values))["spec"])
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_pod_with_less_is_not(cluster: Cluster, restricted: str) -> None:
    spec = copy.deepcopy(pod_of(render())["spec"])
    del spec["securityContext"]["seccompProfile"]
    with pytest.raises(ApiError, match=r"violates PodSecurity.*seccompProfile"):
        dry_run_pod(cluster, restricted, spec)


# -- with Helm


def test_install_upgrade_uninstall(prepared: Cluster, namespace: str) -> None:
    def run(command: str, values: dict[str, Any]) -> None:
        where = ("entryproxy", str(CHART), "--namespace", namespace, "--values", "-")
        helm(command, *where, values=values, kubeconfig=prepared.admin_kubeconfig)

    def replicas() -> int:
        count: int = prepared.api.get(deployment)["spec"]["replicas"]
        return count

    def left() -> list[str]:
        kinds = ",".join(sorted({item["kind"] for item in render()}))
        selector = "--selector=app.kubernetes.io/instance=entryproxy"
        lines = prepared.kubectl("get", kinds, "--namespace", namespace, selector, "--output=name").split()
        return [line for line in lines if not line.startswith("cluster") or line.endswith(f":{namespace}")]

    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/entryproxy"
    run("install", {"replicas": 5})
    assert replicas() == 5
    assert len(left()) == len(render())
    run("upgrade", {"replicas": 5, "autoscaling": {"enabled": True}})
    assert replicas() == 5, "turning the autoscaler on scales nothing down"
    helm("uninstall", "entryproxy", "--namespace", namespace, kubeconfig=prepared.admin_kubeconfig)
    assert left() == []


@pytest.fixture(scope="module")
def entry_user(prepared: Cluster) -> str:
    """The name of the entry's account as the authorizer knows it, with the chart's rights."""
    rights = [item for item in render() if "rbac" in item["apiVersion"] or item["kind"] == "ServiceAccount"]
    prepared.kubectl("apply", "--filename", "-", input="\n".join(json.dumps(item) for item in rights))
    return f"system:serviceaccount:{NAMESPACE}:entryproxy"


@pytest.mark.parametrize(
    ("verb", "group", "resource", "namespace", "is_allowed"),
    [
        *((verb, "", kind, NAMESPACE, True) for verb in ("list", "watch") for kind in ("configmaps", "secrets")),
        *(("get", "", kind, NAMESPACE, False) for kind in ("configmaps", "secrets")),
        *((verb, "discovery.k8s.io", "endpointslices", "", True) for verb in ("list", "watch")),
        *((verb, "", kind, "", False) for verb in ("get", "list", "watch") for kind in ("configmaps", "secrets")),
        *((verb, "", "secrets", "tenant1-gateway", False) for verb in ("get", "list", "watch")),
        *((verb, "", "secrets", NAMESPACE, False) for verb in ("create", "update", "patch", "delete")),
        *((verb, "", "configmaps", NAMESPACE, False) for verb in ("create", "update", "patch", "delete")),
        ("get", "discovery.k8s.io", "endpointslices", "", False),
        ("list", "", "pods", NAMESPACE, False),
        ("list", "", "services", "", False),
        ("create", "", "events", NAMESPACE, False),
        ("list", "networking.k8s.io", "ingresses", "", False),
        ("get", "apps", "deployments", NAMESPACE, False),
    ],
)
def test_what_the_entry_may(
    prepared: Cluster, entry_user: str, verb: str, group: str, resource: str, namespace: str, is_allowed: bool
) -> None:
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    # The groups that the API server gives every ServiceAccount.
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": entry_user, "groups": groups, "resourceAttributes": attributes},
    }
    answer = prepared.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer["status"]["allowed"] is is_allowed
