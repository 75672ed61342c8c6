"""The driver with the real Helm against a real API server, and with a script in its place where Helm must misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from entryproxy.controller.helm.chart_archive import unpack
from entryproxy.controller.helm.driver import Helm, Limits
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.provision.state import DesiredRelease
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.controller.helm.chart_sources import repository
from tests.support import require_tool

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {word: {{ .Values.word | quote }}}
{{- if .Values.isBroken }}
bogus: 1
{{- end }}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.driver.example.com}
spec:
  group: driver.example.com
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
VALUES = "word: default\nisBroken: false\n"
SECRET = "s3cr3t"


@pytest.fixture
def chart(tmp_path: Path) -> str:
    folder = tmp_path / "tiny"
    (folder / "templates").mkdir(parents=True)
    (folder / "crds").mkdir()
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: tiny, version: 1.0.0}")
    (folder / "values.yaml").write_text(VALUES)
    (folder / "templates/config.yaml").write_text(CONFIG_MAP)
    (folder / "crds/thing.yaml").write_text(CRD)
    return str(folder)


def driver(binary: str | Path, tmp_path: Path, kubeconfig: Path = Path(os.devnull), **limits: Any) -> Helm:
    return Helm(Path(binary), tmp_path / "private", kubeconfig, limits=Limits(**limits), path=os.environ["PATH"])


def wanted(namespace: str, chart: str, digest: str = "d1", **values: Any) -> DesiredRelease:
    return DesiredRelease(
        name="tiny",
        namespace=namespace,
        chart=chart,
        version="1.0.0",
        values=values,
        digest=digest,
        gateway="higress-gateway",
    )


# -- the real one


class Real:
    """A release in the cluster, as others see it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def history(self) -> list[tuple[int, str]]:
        said = self.cluster.helm("history", "tiny", "--namespace", self.namespace, "--output", "json")
        return [(one["revision"], one["status"]) for one in json.loads(said)]

    def digests(self) -> list[str]:
        path = f"/api/v1/namespaces/{self.namespace}/secrets?labelSelector=owner%3Dhelm"
        secrets = sorted(self.cluster.api.get(path)["items"], key=lambda one: int(one["metadata"]["labels"]["version"]))
        return [one["metadata"]["labels"]["entryproxy.higress.io/digest"] for one in secrets]

    def word(self) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/tiny-config"
        word: str = self.cluster.api.get(path)["data"]["word"]
        return word


async def test_the_life_of_a_release(cluster: Cluster, namespace: str, chart: str, tmp_path: Path) -> None:
    helm = driver(require_tool("helm"), tmp_path, cluster.admin_kubeconfig)
    real = Real(cluster, namespace)

    installed = await helm.upgrade(wanted(namespace, chart, "d1", word="one"))
    assert (installed.version, installed.status, real.word()) == (1, "deployed", "one")
    with pytest.raises(ApiError, match="404"):
        cluster.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.driver.example.com")

    upgraded = await helm.upgrade(wanted(namespace, chart, "d2"))
    assert (upgraded.version, upgraded.status, real.word()) == (2, "deployed", "default")  # not the last one's values

    with pytest.raises(HelmError) as failed:
        await helm.upgrade(wanted(namespace, chart, "d3", word="three", isBroken=True))
    assert failed.value.kind == "rejected"
    assert "field not declared in schema" in failed.value.message
    assert real.history() == [(1, "superseded"), (2, "deployed"), (3, "failed")]

    await helm.rollback("tiny", namespace, 1)
    assert (real.history()[-1], real.word()) == ((4, "deployed"), "one")
    assert real.digests() == ["d1", "d2", "d3", "d1"]

    await helm.uninstall("tiny", namespace)
    with pytest.raises(ApiError, match="404"):
        real.word()
    await helm.uninstall("tiny", namespace)  # again is fine
    assert list((tmp_path / "private" / "values").iterdir()) == []


async def test_what_another_has_edited_is_taken_back(
    cluster: Cluster, namespace: str, chart: str, tmp_path: Path
) -> None:
    helm = driver(require_tool("helm"), tmp_path, cluster.admin_kubeconfig)
    await helm.upgrade(wanted(namespace, chart, word="ours"))
    cluster.kubectl(
        "patch", "configmap", "tiny-config", "--namespace", namespace, "--patch", '{"data": {"word": "theirs"}}'
    )
    await helm.upgrade(wanted(namespace, chart, word="ours"))
    assert Real(cluster, namespace).word() == "ours"


async def test_releases_side_by_side(cluster: Cluster, chart: str, tmp_path: Path) -> None:
    helm = driver(require_tool("helm"), tmp_path, cluster.admin_kubeconfig, parallel_max=2)
    namespaces = [cluster.new_namespace() for _ in range(3)]
    done = await asyncio.gather(*(helm.upgrade(wanted(one, chart, word=one)) for one in namespaces))
    assert [one.status for one in done] == ["deployed"] * 3
    assert [Real(cluster, one).word() for one in namespaces] == namespaces


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (lambda helm, chart: helm.rollback("tiny", "default", 7), "not_found"),
        (lambda helm, chart: helm.upgrade(wanted("nowhere-to-be-found", chart)), "not_found"),
        (lambda helm, chart: helm.upgrade(wanted("default", "/nonexistent/chart.tgz")), "not_found"),
    ],
    ids=["release", "namespace", "chart"],
)
async def test_what_is_not_there(cluster: Cluster, chart: str, tmp_path: Path, operation: Any, kind: str) -> None:
    helm = driver(require_tool("helm"), tmp_path, cluster.admin_kubeconfig)
    with pytest.raises(HelmError) as failed:
        await operation(helm, chart)
    assert failed.value.kind == kind


async def test_rights_that_are_missing(cluster: Cluster, namespace: str, chart: str, tmp_path: Path) -> None:
    account = cluster.service_account_kubeconfig(namespace, "nobody")
    helm = driver(require_tool("helm"), tmp_path, account.kubeconfig)
    with pytest.raises(HelmError) as failed:
        await helm.upgrade(wanted(namespace, chart))
    assert failed.value.kind == "forbidden"


@pytest.mark.cluster
async def test_without_a_cluster(tmp_path: Path) -> None:
    helm = driver(require_tool("helm"), tmp_path)
    assert (await helm.version()).startswith("4.2.")


@pytest.mark.cluster
async def test_packed_and_pulled(chart: str, tmp_path: Path) -> None:
    helm = driver(require_tool("helm"), tmp_path)
    folder = tmp_path / "web"
    folder.mkdir()
    packed = await helm.package(Path(chart), folder)
    assert packed == folder / "tiny-1.0.0.tgz"
    entry = {"apiVersion": "v2", "name": "tiny", "version": "1.0.0", "urls": [packed.name]}
    index = json.dumps({"apiVersion": "v1", "entries": {"tiny": [entry]}})
    (folder / "index.yaml").write_text(index)

    target = tmp_path / "target"
    target.mkdir()
    with repository(folder) as served:
        assert (await helm.update_repository(served.url)).read_text() == index
        pulled = await helm.pull("tiny", "1.0.0", target)
        assert pulled == target / "tiny-1.0.0.tgz"
        assert pulled.read_bytes() == packed.read_bytes()
        assert unpack(pulled.read_bytes())["values.yaml"].decode() == VALUES
        with pytest.raises(HelmError) as failed:
            await helm.pull("tiny", "9.0.0", target)
    assert failed.value.kind == "not_found"


@pytest.mark.cluster
async def test_a_repository_that_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(HelmError) as failed:
        await driver(require_tool("helm"), tmp_path).update_repository(f"http://me:{SECRET}@127.0.0.1:{port}/a")
    assert failed.value.kind == "unreachable"
    assert failed.value.message.startswith(f"the repository http://127.0.0.1:{port}/a can't be read: Get ")
    assert failed.value.message.endswith("connection refused")
    assert list((tmp_path / "private" / "values").iterdir()) == []


@pytest.mark.cluster
async def test_a_repository_that_helm_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(HelmError) as failed:
        await driver(require_tool("helm"), tmp_path).update_repository(f"ftp://me:{SECRET}@example.com/a")
    told = "the repository ftp://example.com/a can't be read: "
    assert failed.value.message.startswith(told)
    assert failed.value.message != told
    assert SECRET not in failed.value.message


async def test_a_chart_that_did_not_come(tmp_path: Path) -> None:
    with pytest.raises(HelmError, match="left 0 packed charts"):
        await driver(fake(tmp_path, "exit 0"), tmp_path).pull("oci://example.com/tiny", "1.0.0", tmp_path)


@pytest.mark.cluster
async def test_a_silent_api_server(cluster: Cluster, chart: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(cluster.admin_kubeconfig.read_text().replace(cluster.url, f"https://127.0.0.1:{port}"))
        helm = driver(require_tool("helm"), tmp_path, kubeconfig, operation_seconds=2, grace_seconds=1)
        with pytest.raises(HelmError) as failed:
            await helm.upgrade(wanted("default", chart))
    assert (failed.value.kind, failed.value.message) == ("timed_out", "helm upgrade was ended after 2 s")
    assert list((tmp_path / "private" / "values").iterdir()) == []


# -- in its place


def fake(tmp_path: Path, script: str, version: str = "v4.2.4") -> Path:
    """A program that knows its version and does `script` for everything else."""
    path = tmp_path / "helm"
    path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then printf %s "{version}"; exit; fi\n{script}\n')
    path.chmod(0o700)
    return path


@pytest.mark.parametrize("version", ["v3.18.0", "v4.3.0", "v4.20.0", "", "4.1.2"])
async def test_another_version_is_refused(tmp_path: Path, version: str) -> None:
    ran = tmp_path / "ran"
    helm = driver(fake(tmp_path, f"touch {ran}", version), tmp_path)
    with pytest.raises(HelmError) as failed:
        await helm.uninstall("tiny", "ns")
    assert failed.value.kind == "unsupported"
    assert failed.value.message == f"Helm 4.2.x is needed, this one is {version.removeprefix('v')!r}"
    assert not ran.exists()


async def test_values_are_private_and_go_away(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = (
        'for one; do case "$one" in --values=*) file="${one#--values=}";; esac; done\n'
        f'{{ stat -c %a "$file"; cat "$file"; }} > {seen}\necho "Error: no" >&2\nexit 1'
    )
    helm = driver(fake(tmp_path, script), tmp_path)
    with pytest.raises(HelmError) as failed:
        await helm.upgrade(wanted("ns", "chart", word=SECRET))
    assert (failed.value.kind, failed.value.message) == ("unknown", "no")
    assert seen.read_text() == '600\n{"word": "s3cr3t"}'
    private = tmp_path / "private"
    assert {one.stat().st_mode & 0o777 for one in (private, private / "values")} == {0o700}
    assert list((private / "values").iterdir()) == []


def test_values_of_whoever_was_killed_go_away(tmp_path: Path) -> None:
    leftover = tmp_path / "private" / "values" / "old.json"
    leftover.parent.mkdir(parents=True)
    leftover.write_text(SECRET)
    driver("/nonexistent", tmp_path)
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("kill -9 $$", "killed"),
        ('printf \'{"version": 1, "info": \'', "unknown"),
        (
            """printf '{"version":1,"info":{"status":"deployed"}}'\n"""
            """echo 'level=ERROR msg="failed to record the release"' >&2""",
            "unrecorded",
        ),
        ("echo s3cr3t; exit 1", "unknown"),
    ],
)
async def test_it_misbehaves(tmp_path: Path, script: str, kind: str) -> None:
    helm = driver(fake(tmp_path, script), tmp_path)
    with pytest.raises(HelmError) as failed:
        await helm.upgrade(wanted("ns", "chart"))
    assert failed.value.kind == kind
    assert SECRET not in failed.value.message


async def test_a_program_that_is_something_else(tmp_path: Path) -> None:
    program = tmp_path / "ls"
    program.write_text("#!/bin/sh\necho \"ls: unrecognized option '$2'\" >&2\necho \"Try 'ls --help'.\" >&2\nexit 2\n")
    program.chmod(0o700)
    with pytest.raises(HelmError) as failed:
        await driver(program, tmp_path).version()
    assert (failed.value.kind, failed.value.message) == (
        "unsupported",
        f"{program} can't be used as Helm: Try 'ls --help'.",
    )


async def test_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HelmError, match="No such file or directory"):
        await driver("/nonexistent/helm", tmp_path).version()


async def test_no_more_than_allowed_at_a_time(tmp_path: Path) -> None:
    running, go = tmp_path / "running", tmp_path / "go"
    running.mkdir()
    script = (
        f"touch {running}/$$; ls {running} | wc -l >> {tmp_path}/counts\n"
        f"while [ ! -e {go} ]; do sleep 0.02; done\nrm {running}/$$"
    )
    helm = driver(fake(tmp_path, script), tmp_path, parallel_max=2)
    all_of_them = asyncio.gather(*(helm.uninstall("tiny", f"ns{number}") for number in range(5)))
    while not (counts := tmp_path / "counts").exists() or len(counts.read_text().split()) < 2:
        await asyncio.sleep(0.01)
    go.touch()
    await all_of_them
    seen = [int(line) for line in counts.read_text().split()]
    assert (len(seen), max(seen)) == (5, 2)
