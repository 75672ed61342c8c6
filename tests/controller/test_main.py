"""From settings to the end of the process, with the real Helm and the real API server."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from entryproxy.controller.main import LEASE, StartError, preview, run
from entryproxy.settings import ControllerSettings
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.operators import LABEL
from tests.cluster.provision.running import CHART, Charts
from tests.e2e.gateways import wait_until
from tests.support import require_tool

STOP_SECONDS_MAX = 30


@pytest.fixture
def settings(cluster: Cluster, namespace: str, tmp_path: Path) -> ControllerSettings:
    """That work."""
    charts = Charts(tmp_path)
    return ControllerSettings(
        namespace=namespace,
        kubeconfig=str(cluster.admin_kubeconfig),
        helm=require_tool("helm"),
        work_dir=str(tmp_path / "work"),
        chart=CHART,
        chart_version=charts.version,
        charts_dir=str(charts.folder),
        admin_bind="127.0.0.1",
        admin_port=0,
    )


# -- what can't be begun


def test_no_helm() -> None:
    with pytest.raises(StartError, match="Helm isn't here: 'no-such-helm' is no program"):
        run(ControllerSettings(helm="no-such-helm"))


def test_a_program_that_is_no_helm(settings: ControllerSettings, tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    with pytest.raises(StartError, match="is needed, this one is 'hello'"):
        run(dataclasses.replace(settings, helm=str(program)))


def test_no_cluster(settings: ControllerSettings, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="nowhere") as refused:
        run(dataclasses.replace(settings, kubeconfig=str(tmp_path / "nowhere")))
    assert refused.value.status == 2


def test_a_folder_that_cannot_be_used(settings: ControllerSettings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="can't be used: Not a directory"):
        run(dataclasses.replace(settings, work_dir=str(tmp_path / "file" / "work")))


def test_a_port_that_is_taken(settings: ControllerSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartError, match="can't listen: "):
            run(dataclasses.replace(settings, admin_port=taken.getsockname()[1]))


# -- a preview


def test_a_preview_writes_nothing(cluster: Cluster, namespace: str, settings: ControllerSettings) -> None:
    declare(cluster, namespace, "platform", "system", {"settings.yaml": "systemDomain: aigw.example.com"})
    for name, document in (("preview-a", "release: {profile: dev}"), ("preview-b", "release: {chart: none}")):
        declare(cluster, namespace, name, name, {"tenant.yaml": document})
    rounds = preview(settings)
    assert list(rounds) == ["preview-a", "preview-b"]
    assert rounds["preview-a"].plan.phase == "Provisioning"
    assert rounds["preview-a"].plan.actions
    assert (rounds["preview-b"].plan.phase, rounds["preview-b"].plan.reason) == ("Failed", "ChartUnavailable")
    metadata = cluster.api.get(f"/api/v1/namespaces/{namespace}/configmaps/preview-a")["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata
    assert lease(cluster, namespace) is None


def test_a_preview_of_a_namespace_that_is_not_there(settings: ControllerSettings) -> None:
    with pytest.raises(StartError, match=r'namespaces "no-such-one" not found\n  .*--namespace where') as refused:
        preview(dataclasses.replace(settings, namespace="no-such-one"))
    assert refused.value.status == 1


def test_a_preview_without_an_api_server(
    cluster: Cluster, settings: ControllerSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One answer, not the patience of those who follow."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
    kubeconfig = tmp_path / "away"
    kubeconfig.write_text(cluster.admin_kubeconfig.read_text().replace(cluster.url, url))
    with pytest.raises(StartError, match=f"can't be read from {url}: Can't connect to "):
        preview(dataclasses.replace(settings, kubeconfig=str(kubeconfig)))
    assert "failed" not in caplog.text


def test_a_preview_without_rights(cluster: Cluster, namespace: str, settings: ControllerSettings) -> None:
    account = cluster.service_account_kubeconfig(namespace, "viewer")
    cluster.kubectl(
        *("create", "rolebinding", "viewer", f"--namespace={namespace}", "--clusterrole=view"),
        f"--serviceaccount={namespace}:viewer",
    )
    with pytest.raises(StartError, match="secrets is forbidden: "):
        preview(dataclasses.replace(settings, kubeconfig=str(account.kubeconfig)))


# -- a life


WORKS_ON = """
from entryproxy.controller.controller import Controller
async def lead(self):
    import asyncio
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("works on", flush=True)
Controller.lead = lead
"""


@contextmanager
def running(settings: ControllerSettings, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process of its own. before: code that it begins with."""
    code = (
        f"{before}\nimport json, sys; from entryproxy.controller.main import run; from entryproxy.settings import *; "
    )
    code += "run(ControllerSettings(**json.loads(sys.argv[1])))"
    fields = {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}
    one = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, json.dumps(fields)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
    )
    try:
        yield one
    finally:
        one.kill()
        one.communicate()


@pytest.fixture
def process(settings: ControllerSettings) -> Iterator[subprocess.Popen[str]]:
    """Without a name of its own."""
    with running(settings) as one:
        yield one


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_the_lease_is_given_back(
    cluster: Cluster, namespace: str, process: subprocess.Popen[str], number: signal.Signals
) -> None:
    wait_until(lambda: bool(holder(cluster, namespace)) or process.poll() is not None, "the lease isn't taken", 30)
    assert holder(cluster, namespace).startswith(f"{socket.gethostname()}_")
    process.send_signal(number)
    output, _ = process.communicate(timeout=STOP_SECONDS_MAX)
    assert process.returncode == 0, output
    assert "leaves" in output
    assert "Traceback" not in output
    assert holder(cluster, namespace) == ""


@pytest.mark.parametrize("is_told_to_end", [False, True])
def test_work_that_does_not_end_with_the_lease_ends_with_the_process(
    cluster: Cluster, namespace: str, settings: ControllerSettings, is_told_to_end: bool
) -> None:
    """Else two would lead."""
    with running(dataclasses.replace(settings, lease_seconds=4), WORKS_ON) as one:
        wait_until(lambda: bool(holder(cluster, namespace)) or one.poll() is not None, "the lease isn't taken", 30)
        if is_told_to_end:
            one.terminate()
        else:
            cluster.api.patch(lease_path(namespace), {"spec": {"holderIdentity": "another"}})
        output, _ = one.communicate(timeout=STOP_SECONDS_MAX)
    assert one.returncode == 1, output
    assert "works on" in output
    assert "The leader's work didn't end while the lease was ours" in output


def test_of_two_on_one_host_one_leads(
    cluster: Cluster, namespace: str, settings: ControllerSettings, tmp_path: Path, process: subprocess.Popen[str]
) -> None:
    """Neither has a name of its own. The one that waits takes nothing, and gives nothing back when it ends."""
    wait_until(lambda: bool(holder(cluster, namespace)) or process.poll() is not None, "the lease isn't taken", 30)
    leader = holder(cluster, namespace)
    with running(dataclasses.replace(settings, work_dir=str(tmp_path / "other"))) as second:
        assert second.stdout is not None
        line = next(line for line in second.stdout if " is a candidate" in line)
        renewed = lease(cluster, namespace)["spec"]["renewTime"]
        wait_until(lambda: lease(cluster, namespace)["spec"]["renewTime"] != renewed, "the lease isn't renewed", 30)
        second.terminate()
        output, _ = second.communicate(timeout=STOP_SECONDS_MAX)
    assert socket.gethostname() in line
    assert leader not in line
    assert " leads" not in output
    assert second.returncode == 0, output
    assert holder(cluster, namespace) == leader


def declare(cluster: Cluster, namespace: str, name: str, tenant: str, data: dict[str, str]) -> None:
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL: tenant}}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def lease_path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}"


def lease(cluster: Cluster, namespace: str) -> Any:
    try:
        return cluster.api.get(lease_path(namespace))
    except ApiError as error:
        assert error.status == 404
        return None


def holder(cluster: Cluster, namespace: str) -> str:
    found = lease(cluster, namespace)
    return str(found["spec"].get("holderIdentity", "")) if found else ""
