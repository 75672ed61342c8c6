"""Somebody who runs commands against a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from entryproxy.cli import main
from tests.certificates import Authority
from tests.cluster.cluster import Cluster

DOMAIN = "aigw.example.com"
LABEL = "entryproxy.higress.io/tenant"


class Operator:
    """Runs commands with a kubeconfig in one namespace, and keeps what they print."""

    def __init__(
        self, cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str], kubeconfig: Path | None = None
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.out = self.err = ""
        self._capsys = capsys
        self._kubeconfig = kubeconfig or cluster.admin_kubeconfig

    def run(self, *arguments: str) -> int:
        self._capsys.readouterr()
        status = main([*arguments, "--kubeconfig", str(self._kubeconfig), "--namespace", self.namespace])
        self.out, self.err = self._capsys.readouterr()
        return status

    def tenant(self, *arguments: str) -> int:
        return self.run("tenant", *arguments)

    def render(self, *arguments: str) -> str:
        """What `tenant render` prints, which needs no cluster."""
        self._capsys.readouterr()
        assert main(["tenant", "render", *arguments, "--namespace", self.namespace]) == 0
        return self._capsys.readouterr().out

    def data(self, name: str, kind: str = "configmaps") -> Any:
        return self.cluster.api.get(self.path(name, kind)).get("data")

    def document(self, name: str) -> Any:
        return yaml.safe_load(self.data(name)["tenant.yaml"])

    def names(self, kind: str = "configmaps") -> list[str]:
        """Of all objects with our label."""
        items = self.cluster.api.get(f"{self.path('', kind).rstrip('/')}?labelSelector={LABEL}")["items"]
        return sorted(one["metadata"]["name"] for one in items)

    def path(self, name: str, kind: str = "configmaps") -> str:
        return f"/api/v1/namespaces/{self.namespace}/{kind}/{name}"

    def declare(self, tenant: str, data: dict[str, str] | None = None, *, name: str = "", **metadata: Any) -> None:
        """A labelled ConfigMap that somebody else made."""
        self.cluster.api.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name or tenant,
                    "namespace": self.namespace,
                    "labels": {LABEL: tenant},
                    **metadata,
                },
                "data": data or {},
            }
        )


@pytest.fixture
def operator(cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str]) -> Operator:
    """The administrator, where the platform's settings are in force."""
    one = Operator(cluster, namespace, capsys)
    one.declare("system", {"settings.yaml": f"systemDomain: {DOMAIN}"}, name="platform")
    return one


@pytest.fixture
def certify(tmp_path: Path) -> Callable[..., str]:
    """A certificate for some names in files, as an argument for --certificate."""
    authority = Authority()

    def issue(name: str, *names: str) -> str:
        pair = authority.issue(*names)
        (tmp_path / f"{name}.crt").write_text(pair.chain_pem)
        (tmp_path / f"{name}.key").write_text(pair.key_pem)
        return f"{name}={tmp_path}/{name}.crt,{tmp_path}/{name}.key"

    return issue


def allow(cluster: Cluster, namespace: str, account: str, *rules: dict[str, Any]) -> Path:
    """A ServiceAccount with these rules in the namespace, and nothing else; its kubeconfig."""
    kubeconfig = cluster.service_account_kubeconfig(namespace, account).kubeconfig
    group = "rbac.authorization.k8s.io"
    metadata = {"name": account, "namespace": namespace}
    cluster.api.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    role = {"apiGroup": group, "kind": "Role", "name": account}
    cluster.api.create(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [subject],
        }
    )
    return kubeconfig


def rule(resources: list[str], *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": resources, "verbs": list(verbs)}
