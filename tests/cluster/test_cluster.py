from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster, CommandError
from tests.e2e.gateways import wait_until
from tests.support import require_tool

READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list]}
"""


def test_a_user_may_do_what_a_role_says_and_nothing_else(cluster: Cluster, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "reader")
    with pytest.raises(CommandError, match=r'User "system:serviceaccount:.*:reader" cannot list resource "configmaps"'):
        cluster.kubectl("get", "configmaps", kubeconfig=account.kubeconfig)

    cluster.apply(READER, namespace)
    cluster.kubectl("create", "rolebinding", "r", "--role=reader", f"--user={account.user}", "--namespace", namespace)

    assert "kube-root-ca.crt" in cluster.kubectl("get", "configmaps", kubeconfig=account.kubeconfig)
    with pytest.raises(CommandError, match='cannot list resource "secrets"'):
        cluster.kubectl("get", "secrets", kubeconfig=account.kubeconfig)


def test_an_account_has_what_a_pod_finds_mounted(cluster: Cluster, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "mounted")

    assert (account.folder / "namespace").read_text() == namespace
    assert (account.folder / "ca.crt").read_text() == cluster.ca_path.read_text()
    assert stat.S_IMODE(account.token_file.stat().st_mode) == 0o600


def test_a_rotated_token_is_another_one_and_works(cluster: Cluster, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "rotated")
    before = account.token_file.read_text()

    cluster.rotate_token(account)

    assert account.token_file.read_text() != before
    assert account.user in cluster.kubectl("auth", "whoami", kubeconfig=account.kubeconfig)


def test_a_client_certificate_names_a_user(cluster: Cluster) -> None:
    kubeconfig = cluster.client_certificate_kubeconfig("alice")

    assert "alice" in cluster.kubectl("auth", "whoami", kubeconfig=kubeconfig)


def test_nobody_is_let_in_with_a_wrong_token(cluster: Cluster, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "stranger")
    account.token_file.write_text("not.a.token")

    with pytest.raises(CommandError, match=r"must be logged in|provide credentials"):
        cluster.kubectl("get", "configmaps", kubeconfig=account.kubeconfig)


def test_helm_lints_and_installs(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    require_tool("helm")
    template = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "released"},
        "data": {"by": "{{ .Release.Name }}"},
    }
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "chart", "version": "0.1.0"}))
    (tmp_path / "templates" / "configmap.yaml").write_text(json.dumps(template))

    assert "v4." in cluster.helm("version") or "v3." in cluster.helm("version")
    assert "0 chart(s) failed" in cluster.helm("lint", str(tmp_path))
    cluster.helm("install", "first", str(tmp_path), "--namespace", namespace)

    assert cluster.api.get(f"/api/v1/namespaces/{namespace}/configmaps/released")["data"] == {"by": "first"}
    with pytest.raises(CommandError, match="still in use"):
        cluster.helm("install", "first", str(tmp_path), "--namespace", namespace)


def test_a_deleted_namespace_goes_with_all_that_is_in_it(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "namespace": namespace}})

    cluster.api.delete(path)

    wait_until(lambda: _status(cluster, path) == 404, "the namespace never went", 60)
    assert _status(cluster, f"{path}/configmaps/left") == 404


async def test_many_objects_at_once(cluster: Cluster, namespace: str) -> None:
    metadata = {"namespace": namespace, "labels": {"made": "here"}}
    documents = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"many-{number}", **metadata}}
        for number in range(300)
    )

    assert await cluster.create_many(documents, parallel=16) == 300

    listed = cluster.api.get(f"/api/v1/namespaces/{namespace}/configmaps?labelSelector=made%3Dhere")
    assert {item["metadata"]["name"] for item in listed["items"]} == {f"many-{number}" for number in range(300)}


async def test_an_object_that_is_refused_is_an_error(cluster: Cluster, namespace: str) -> None:
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not a name", "namespace": namespace}}

    with pytest.raises(ApiError, match="Not a name"):
        await cluster.create_many([document])


def _status(cluster: Cluster, path: str) -> int:
    try:
        cluster.api.get(path)
    except ApiError as error:
        return error.status
    return 200
