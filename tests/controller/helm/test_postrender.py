"""The post-renderer as Helm runs it: what releases may do on a real API server, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.helm.postrender import PLUGIN, PLUGINS_FOLDER, Order
from entryproxy.controller.helm.postrender.__main__ import INPUT_BYTES_MAX
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.desired import Chart, make_desired
from entryproxy.provision.state import DesiredRelease, Rendering
from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster, CommandError
from tests.controller.helm.children import is_running
from tests.e2e.gateways import wait_until
from tests.support import require_tool

# -- the program by itself

PROGRAM = [sys.executable, "-I", "-m", "entryproxy.controller.helm.postrender"]
LEADER = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
"""Leads a process group and starts the program, as Helm does."""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


def order(folder: Path) -> str:
    refusal_file = str(folder / "refusal")
    return msgspec.json.encode(Order(namespace="own", rendering=Rendering(), refusal_file=refusal_file)).decode()


def run(folder: Path, data: bytes) -> tuple[int, str, str]:
    """Status, output, and what the refusal's file says."""
    argv = [sys.executable, "-c", LEADER, *PROGRAM, order(folder)]
    done = subprocess.run(argv, input=data, capture_output=True, timeout=60, env={}, start_new_session=True)
    refusal = folder / "refusal"
    return done.returncode, done.stdout.decode(), refusal.read_text() if refusal.exists() else ""


def test_what_needs_no_change_passes(tmp_path: Path) -> None:
    assert run(tmp_path, CONFIG_MAP.encode()) == (0, CONFIG_MAP, "")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n", "Namespace x: "),
        (b"a: [\n", "document 1 of the rendered chart can't be read: line "),
        (b"\xff", "the rendered chart is not UTF-8"),
        (b"#" * (INPUT_BYTES_MAX + 1), "the rendered chart is larger than "),
    ],
)
def test_a_refusal_is_written_down(data: bytes, words: str, tmp_path: Path) -> None:
    status, output, refusal = run(tmp_path, data)
    assert (status, output) == (1, "")
    assert refusal.startswith(words)


def test_somebody_else_than_the_group_s_leader_cannot_start_it(tmp_path: Path) -> None:
    argv = [*PROGRAM, order(tmp_path)]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=60, env={}, start_new_session=True)
    assert done.returncode == 1
    assert (tmp_path / "refusal").read_text() == "the post-renderer can't start: whoever started this has ended"


def test_it_ends_when_helm_alone_is_killed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LEADER, *PROGRAM, order(tmp_path)]
    helm = subprocess.Popen(argv, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
    assert helm.stdin is not None
    try:
        helm.stdin.write(b"#" * 2**18)  # more than a pipe holds: it is past its start, and reads on
        [program] = map(int, Path(f"/proc/{helm.pid}/task/{helm.pid}/children").read_text().split())
        assert is_running(program)
        helm.kill()
        wait_until(lambda: not is_running(program), "the post-renderer goes on without Helm")
    finally:
        os.killpg(helm.pid, signal.SIGKILL)
        helm.wait()
        helm.stdin.close()


def test_the_plugin_is_where_helm_looks_for_it() -> None:
    [file] = Path(PLUGINS_FOLDER).glob("*/plugin.yaml")
    plugin = yaml.safe_load(file.read_text())
    assert (plugin["name"], plugin["type"]) == (PLUGIN, "postrenderer/v1")


# -- with Helm and an API server


@pytest.fixture(scope="module")
def prepared(cluster: Cluster) -> Cluster:
    """A cluster that knows the chart's custom resources."""
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    return cluster


@pytest.fixture
def helm(cluster: Cluster, tmp_path: Path) -> Helm:
    binary = Path(require_tool("helm"))
    return Helm(binary, tmp_path / "private", cluster.admin_kubeconfig, path=os.environ["PATH"])


def wanted(tenant: str, namespace: str, has_config: bool = True, **release: Any) -> DesiredRelease:
    document = {"release": {"profile": "dev", **release}, "gateway": {"namespace": namespace}}
    packed = Chart(path=str(chart()), version="2.2.1", digest="c0ffee")
    return make_desired(
        tenant,
        msgspec.convert(document, TenantSpec),
        source=f"entry/{tenant}",
        uid="u",
        entry_namespace="entry",
        chart=packed,
        helm_version="4.2.4",
        has_config=has_config,
    ).release


def may(cluster: Cluster, namespace: str, verb: str, resource: str, *where: str) -> bool:
    """Whether the controller of `namespace` may do that."""
    account = f"system:serviceaccount:{namespace}:higress-controller"
    try:
        cluster.kubectl("auth", "can-i", verb, resource, f"--as={account}", "--quiet", *where)
    except CommandError:
        return False
    return True


def rbac(cluster: Cluster, namespace: str) -> set[str]:
    """Kind and name of what the release in `namespace` has of roles and bindings."""
    kinds = "role,rolebinding,clusterrole,clusterrolebinding"
    said = cluster.kubectl(
        "get", kinds, "--namespace", namespace, "--selector", "app.kubernetes.io/managed-by=Helm", "-oyaml"
    )
    return {
        f"{one['kind']} {one['metadata']['name']}"
        for one in yaml.safe_load(said)["items"]
        if one["metadata"].get("annotations", {}).get("meta.helm.sh/release-namespace") == namespace
    }


async def test_releases_have_rights_in_their_own_namespaces(prepared: Cluster, helm: Helm) -> None:
    own, other = prepared.new_namespace("narrow"), prepared.new_namespace("narrow")
    await helm.upgrade(wanted("one", own))
    await helm.upgrade(wanted("two", other))
    for mine, theirs in ((own, other), (other, own)):
        for verb in ("get", "list", "create"):
            assert may(prepared, mine, verb, "secrets", "--namespace", mine)
            assert not may(prepared, mine, verb, "secrets", "--namespace", theirs)
        assert not may(prepared, mine, "list", "secrets", "--all-namespaces")
        assert may(prepared, mine, "list", "namespaces")
        assert not may(prepared, mine, "patch", "namespaces", "--namespace", mine)
    for tenant, namespace in (("one", own), ("two", other)):
        await helm.uninstall(tenant, namespace)
        assert rbac(prepared, namespace) == set()


async def test_the_watched_namespace_can_be_read(prepared: Cluster, helm: Helm) -> None:
    own, watched = prepared.new_namespace("narrow"), prepared.new_namespace("apps")
    await helm.upgrade(wanted("one", own, isolation="class", values={"global": {"watchNamespace": watched}}))
    assert may(prepared, own, "list", "secrets", "--namespace", watched)
    assert may(prepared, own, "list", "ingresses.networking.k8s.io", "--namespace", watched)
    assert not may(prepared, own, "create", "secrets", "--namespace", watched)
    await helm.uninstall("one", own)
    assert not may(prepared, own, "list", "secrets", "--namespace", watched)


async def test_a_rollback_stays_narrow(prepared: Cluster, helm: Helm) -> None:
    own, other = prepared.new_namespace("narrow"), prepared.new_namespace("narrow")
    await helm.upgrade(wanted("one", own))
    before = rbac(prepared, own)
    assert "Role higress-controller-" + own in before
    await helm.upgrade(wanted("one", own, values={"gateway": {"replicas": 2}}))
    await helm.rollback("one", own, 1)
    assert rbac(prepared, own) == before
    assert not may(prepared, own, "list", "secrets", "--namespace", other)
    await helm.uninstall("one", own)


async def test_two_releases_share_a_namespace(prepared: Cluster, helm: Helm) -> None:
    pool = prepared.new_namespace("pool")
    await helm.upgrade(wanted("one", pool, isolation="shared"))
    with pytest.raises(HelmError) as collided:
        await helm.upgrade(wanted("two", pool, isolation="shared"))
    assert (collided.value.kind, "higress-config" in collided.value.message) == ("ownership", True)
    await helm.upgrade(wanted("two", pool, has_config=False, isolation="shared"))
    await helm.uninstall("two", pool)
    path = f"/api/v1/namespaces/{pool}/configmaps/higress-config"
    assert prepared.api.get(path)["metadata"]["annotations"]["meta.helm.sh/release-name"] == "one"
    await helm.uninstall("one", pool)
    with pytest.raises(ApiError, match="404"):
        prepared.api.get(path)


@pytest.mark.parametrize("hook", ["", "pre-install", "pre-delete,post-rollback"])
async def test_a_refusal_is_told_and_nothing_is_written(
    cluster: Cluster, namespace: str, helm: Helm, tmp_path: Path, hook: str
) -> None:
    """Hooks are made by Helm like everything else, some of them later, and are judged with the rest."""
    folder = tmp_path / "greedy"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: greedy, version: 1.0.0}")
    (folder / "templates/all.yaml").write_text(
        f"{CONFIG_MAP}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n"
        f"metadata: {{name: greedy, annotations: {{helm.sh/hook: '{hook}'}}}}\n"
        "roleRef: {kind: ClusterRole, name: cluster-admin}\n"
    )
    release = DesiredRelease(
        name="greedy",
        namespace=namespace,
        chart=str(folder),
        version="1.0.0",
        values={},
        digest="d",
        gateway="higress-gateway",
    )
    with pytest.raises(HelmError) as refused:
        await helm.upgrade(release)
    assert refused.value.kind == "rejected"
    assert refused.value.message.startswith('ClusterRoleBinding greedy: it refers to the ClusterRole "cluster-admin"')
    secrets = cluster.api.get(f"/api/v1/namespaces/{namespace}/secrets?labelSelector=owner%3Dhelm")
    assert secrets["items"] == []
    assert list((tmp_path / "private" / "values").iterdir()) == []
