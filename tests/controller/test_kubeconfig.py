"""With the real Helm, which has to find the cluster by what it is told here."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.kubeconfig import helm_kubeconfig
from tests.cluster.cluster import Cluster
from tests.support import require_tool


async def reach(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    """Raises HelmError unless Helm gets there."""
    helm = Helm(Path(require_tool("helm")), tmp_path / "helm", kubeconfig, path=os.defpath)
    await helm.uninstall("nothing", namespace)


def in_pod(patch: pytest.MonkeyPatch, url: str) -> None:
    host, port = url.removeprefix("https://").split(":")
    patch.setenv("KUBERNETES_SERVICE_HOST", host)
    patch.setenv("KUBERNETES_SERVICE_PORT", port)


async def test_in_a_pod(cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = cluster.service_account_kubeconfig(namespace, "controller")
    cluster.kubectl(
        *("create", "rolebinding", "controller", "--clusterrole=admin", "--namespace", namespace),
        f"--serviceaccount={namespace}:controller",
    )
    in_pod(monkeypatch, cluster.url)
    folder = tmp_path / "private"
    file = helm_kubeconfig(folder, service_account=account.folder)
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, file)] == [0o700, 0o600]
    assert account.token_file.read_text() not in file.read_text()
    await reach(tmp_path, file, namespace)
    cluster.rotate_token(account)
    await reach(tmp_path, file, namespace)
    account.token_file.write_text("invalid")
    with pytest.raises(HelmError) as refused:
        await reach(tmp_path, file, namespace)
    assert "provide credentials" in refused.value.message


def test_an_old_one_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_pod(monkeypatch, "https://192.0.2.1:443")
    folder = tmp_path / "private"
    folder.mkdir(mode=0o755)
    for name in ("kubeconfig", "kubeconfig.partial"):
        (folder / name).write_text("old")
    file = helm_kubeconfig(folder)
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, file)] == [0o700, 0o600]
    said = json.loads(file.read_text())
    assert said["clusters"][0]["cluster"]["server"] == "https://192.0.2.1:443"
    assert said["users"][0]["user"] == {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
    assert [one.name for one in folder.iterdir()] == ["kubeconfig"]


def two_contexts(cluster: Cluster, folder: Path) -> Path:
    """A kubeconfig whose current context leads nowhere; its paths are relative to where it is."""
    shutil.copy(cluster.ca_path, folder / "ca.crt")
    (folder / "token").write_text(cluster.admin_token)
    document = {
        "current-context": "nowhere",
        "clusters": [
            {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}},
            {"name": "here", "cluster": {"server": cluster.url, "certificate-authority": "ca.crt"}},
        ],
        "users": [{"name": "admin", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}} for name in ("nowhere", "here")],
    }
    path = folder / "config"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("is_given", [True, False])
async def test_a_context_of_an_operators_own(
    cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_given: bool
) -> None:
    """Given by an option, relative to the working directory; or by $KUBECONFIG, among others."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    path = two_contexts(cluster, theirs)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{path}" if not is_given else "/nonexistent")
    monkeypatch.chdir(theirs)
    given = "config" if is_given else ""
    told = helm_kubeconfig(tmp_path / "private", given, "here")
    nowhere = helm_kubeconfig(tmp_path / "other", given)
    monkeypatch.chdir("/")
    await reach(tmp_path, told, namespace)
    assert not (tmp_path / "other").exists()
    with pytest.raises(HelmError) as refused:
        await reach(tmp_path, nowhere, namespace)
    assert refused.value.kind == "unreachable"


def test_where_home_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm's processes have another one."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", "/home/operator")
    assert helm_kubeconfig(tmp_path) == Path("/home/operator/.kube/config")
