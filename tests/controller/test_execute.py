"""With the real Helm and the real API server; a script stands in for Helm only where that one would have to lie."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from entryproxy.config.manifests import parse_documents
from entryproxy.controller.execute import Context, Executor, failure_of
from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.holders import Holder
from entryproxy.controller.manifests import Manifests
from entryproxy.controller.releases import list_releases
from entryproxy.controller.seal import seal
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.objects import FINALIZER
from entryproxy.provision.actions import (
    Action,
    ApplyObject,
    DeleteNamespace,
    DeleteObject,
    DropFinalizer,
    EnsureFinalizer,
    InstallRelease,
    Plan,
    RepairObjects,
    RollbackRelease,
    UninstallRelease,
    UpgradeRelease,
)
from entryproxy.provision.digests import DIGEST_LABEL
from entryproxy.provision.state import DesiredRelease, Reference
from entryproxy.provision.statuses import Outcome
from tests import tools
from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.api import ApiError as Refused
from tests.cluster.cluster import Cluster
from tests.support import require_tool

GATEWAY = "higress-gateway"
SECRET = "s3cr3t"


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with await connect(str(cluster.admin_kubeconfig)) as one:
        yield one


class World:
    """A tenant called as its entry's namespace, so that tests don't meet in the cluster."""

    def __init__(self, cluster: Cluster, client: ClusterClient, entry: str, folder: Path) -> None:
        self.cluster, self.client, self.folder = cluster, client, folder
        self.tenant, self.namespace = entry, f"{entry}-gateway"
        metadata = {"namespace": entry, "name": "acme"}
        made = cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})["metadata"]
        self.source_path = f"/api/v1/namespaces/{entry}/configmaps/acme"
        self.context = Context(
            tenant=self.tenant,
            source=f"{entry}/acme",
            uid=made["uid"],
            holders=(Holder(tenant=self.tenant, namespace=entry, name="acme", uid=made["uid"]),),
            release_name=self.tenant,
            release_namespace=self.namespace,
        )

    async def run(self, *actions: Action, helm: Path | None = None) -> Outcome:
        driver = Helm(
            helm or Path(require_tool("helm")), self.folder / "helm", self.cluster.admin_kubeconfig, path=os.defpath
        )
        executor = Executor(self.client, driver, manifests=Manifests(self.client, parse_documents))
        plan = Plan(actions=actions, phase="Provisioning", reason="Test", message="")
        return await executor.execute(plan, self.context)

    def fake_helm(self, script: str) -> Path:
        """Does `script` for everything but its version; $KUBECTL is at hand."""
        path, kubectl = self.folder / "fake-helm", f'KUBECTL="{tools.find("kubectl")}"'
        path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then printf v4.2.4; exit; fi\n{kubectl}\n{script}\n')
        path.chmod(0o700)
        return path

    def forgetful_helm(self, revision: int, status: str) -> Path:
        """Ends in success, and leaves one more revision of this status."""
        name = f"sh.helm.release.v1.{self.tenant}.v{revision}"
        labels = f"owner=helm name={self.tenant} version={revision} status={status} {DIGEST_LABEL}=D{revision}"
        kubectl = f'"$KUBECTL" --namespace {self.namespace}'
        return self.fake_helm(
            f"{kubectl} create secret generic {name} --type=helm.sh/release.v1 >&2\n"
            f"{kubectl} label secret {name} {labels} >&2\n"
            f"""echo '{{"version": {revision}, "info": {{"status": "deployed"}}}}'"""
        )

    def release(self, digest: str = "D1", **gateway: Any) -> DesiredRelease:
        values = {
            "global": {"ingressClass": self.tenant},
            "gateway": {"unprivilegedPortSupported": True, "podAnnotations": {"word": SECRET}, **gateway},
        }
        return DesiredRelease(
            name=self.tenant,
            namespace=self.namespace,
            chart=str(chart()),
            version="2.2.1",
            values=values,
            digest=digest,
            gateway=GATEWAY,
        )

    def rollback(self, to_revision: int) -> RollbackRelease:
        return RollbackRelease(self.tenant, self.namespace, to_revision, "Test", GATEWAY)

    def replicas(self) -> int:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{GATEWAY}"
        return int(self.cluster.api.get(path)["spec"]["replicas"])

    def marked(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        labels = {"app.kubernetes.io/managed-by": "entryproxy", "entryproxy.higress.io/owner": self.tenant}
        metadata = {"name": name, "labels": labels} | ({"namespace": namespace} if namespace else {})
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata}

    @property
    def namespace_manifest(self) -> dict[str, Any]:
        return self.marked("Namespace", self.namespace)

    async def install(self) -> None:
        outcome = await self.run(ApplyObject(self.namespace_manifest), InstallRelease(self.release()))
        assert outcome.error == ""

    async def history(self) -> list[tuple[int, str, str]]:
        found = await list_releases(self.client, self.namespace)
        return [(one.number, one.status, one.digest) for one in found.get((self.namespace, self.tenant), ())]

    def is_there(self, path: str) -> bool:
        try:
            self.cluster.api.get(path)
        except Refused as error:
            assert error.status == 404
            return False
        return True


@pytest.fixture
def world(cluster: Cluster, client: ClusterClient, namespace: str, tmp_path: Path) -> World:
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    return World(cluster, client, namespace, tmp_path)


async def test_the_life_of_a_tenant(world: World) -> None:
    actions = (EnsureFinalizer(), ApplyObject(world.namespace_manifest), InstallRelease(world.release()))
    assert await world.run(*actions) == Outcome(done=actions)
    assert world.cluster.api.get(world.source_path)["metadata"]["finalizers"] == [FINALIZER]
    assert await world.history() == [(1, "deployed", "D1")]

    upgrade = (UpgradeRelease(world.release("D2", replicas=1), 1),)
    assert await world.run(*upgrade) == Outcome(done=upgrade)
    back = (world.rollback(1),)
    assert await world.run(*back) == Outcome(done=back)
    assert await world.history() == [(1, "superseded", "D1"), (2, "superseded", "D2"), (3, "deployed", "D1")]

    service = f"/api/v1/namespaces/{world.namespace}/services/higress-gateway"
    world.cluster.api.delete(service)
    repair = (RepairObjects((Reference("v1", "Service", world.namespace, "higress-gateway"),)),)
    assert await world.run(*repair) == Outcome(done=repair)
    assert world.is_there(service)

    leftover = Reference("networking.k8s.io/v1", "IngressClass", "", world.tenant)
    away = (
        DeleteObject(leftover),
        UninstallRelease(world.tenant, world.namespace),
        UninstallRelease(world.tenant, world.namespace),
        DeleteNamespace(world.namespace),
        DropFinalizer(),
    )
    assert await world.run(*away) == Outcome(done=away)
    assert await world.history() == []
    assert "finalizers" not in world.cluster.api.get(world.source_path)["metadata"]
    assert world.cluster.api.get(f"/api/v1/namespaces/{world.namespace}")["status"]["phase"] == "Terminating"


async def test_the_first_failure_ends_it(world: World) -> None:
    await world.run(ApplyObject(world.namespace_manifest))
    foreign = {**world.marked("ConfigMap", "foreign", world.namespace)}
    theirs = {**foreign, "metadata": {**foreign["metadata"], "labels": {}}}
    world.cluster.api.create(theirs)
    first = ApplyObject(world.marked("ConfigMap", "first", world.namespace))
    outcome = await world.run(first, ApplyObject(foreign), InstallRelease(world.release()), DropFinalizer())
    assert outcome == Outcome(
        done=(first,),
        failed=ApplyObject(foreign),
        reason="NotOurs",
        error=f"Could not apply ConfigMap {world.namespace}/foreign: "
        f"ConfigMap {world.namespace}/foreign was made by somebody else.",
    )
    assert await world.history() == []


async def test_a_namespace_of_somebody_else_stays(world: World) -> None:
    world.cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}})
    outcome = await world.run(DeleteNamespace(world.namespace))
    assert (outcome.reason, outcome.is_release_failure, outcome.is_lost) == ("NotOurs", False, False)
    assert world.cluster.api.get(f"/api/v1/namespaces/{world.namespace}")["status"]["phase"] == "Active"


# -- releases that fail


async def test_a_failing_upgrade(world: World) -> None:
    await world.install()
    action = UpgradeRelease(world.release("D2", replicas="many"), 1)
    outcome = await world.run(action, DropFinalizer())
    assert (outcome.done, outcome.failed, outcome.reason) == ((), action, "UpgradeFailed")
    assert (outcome.is_release_failure, outcome.is_lost) == (True, False)
    assert outcome.error.startswith("The release could not be upgraded: ")
    assert "replicas" in outcome.error
    assert SECRET not in outcome.error
    assert await world.history() == [(1, "deployed", "D1"), (2, "failed", "D2")]


async def test_no_gateway_stops_when_autoscaling_comes_back(world: World) -> None:
    """The older revision says no number, so Kubernetes' default would be taken until the autoscaler looks again."""
    autoscaled = world.release("D1", autoscaling={"enabled": True, "minReplicas": 2, "maxReplicas": 6})
    await world.run(ApplyObject(world.namespace_manifest), InstallRelease(autoscaled))
    await world.run(UpgradeRelease(world.release("D2", replicas=3), 1))
    assert world.replicas() == 3
    assert (await world.run(world.rollback(1))).error == ""
    assert world.replicas() == 3
    assert (await world.run(world.rollback(2))).error == ""
    await world.run(UpgradeRelease(world.release("D3", replicas=4), 4))
    assert world.replicas() == 4


async def test_a_release_of_somebody_else_is_left_alone(world: World) -> None:
    await world.run(ApplyObject(world.namespace_manifest))
    world.cluster.helm(
        *("install", world.tenant, str(chart()), "--namespace", world.namespace, "--skip-crds"),
        *("--set", f"global.ingressClass={world.tenant},gateway.unprivilegedPortSupported=true"),
    )
    for action in (
        InstallRelease(world.release()),
        UpgradeRelease(world.release(), 1),
        world.rollback(1),
        UninstallRelease(world.tenant, world.namespace),
        RepairObjects((Reference("v1", "Service", world.namespace, "higress-gateway"),)),
    ):
        outcome = await world.run(action)
        assert (outcome.reason, outcome.is_release_failure) == ("NotOurs", False), action
    assert await world.history() == [(1, "deployed", "")]


async def test_a_history_that_somebody_went_on_with(world: World) -> None:
    await world.install()
    for action in (
        InstallRelease(world.release("D2")),
        UpgradeRelease(world.release("D2"), 2),
        world.rollback(7),
    ):
        outcome = await world.run(action)
        assert (outcome.is_release_failure, outcome.is_lost) == (False, True), action
        assert outcome.error.startswith("The release could not be "), action
    assert await world.history() == [(1, "deployed", "D1")]


# -- a Helm that ends in success without it


async def test_success_that_the_history_does_not_tell(world: World) -> None:
    """Objects as wanted, the last write of the history refused: the revision stays pending."""
    await world.install()
    outcome = await world.run(UpgradeRelease(world.release("D2"), 1), helm=world.forgetful_helm(2, "pending-upgrade"))
    assert outcome.error == (
        "The release could not be upgraded: Helm ended in success, but revision 2 is pending-upgrade."
    )
    assert (outcome.is_release_failure, outcome.is_lost) == (True, False)
    back = world.rollback(1)
    outcome = await world.run(back, helm=world.forgetful_helm(3, "pending-rollback"))
    assert outcome.reason == "RollbackFailed"
    assert "revision 3 is pending-rollback" in outcome.error


async def test_nobody_can_record_what_was_left_pending(world: World) -> None:
    """As a Helm that was frozen might when it goes on; our own uninstall goes on all the same."""
    await world.install()
    path = f"/api/v1/namespaces/{world.namespace}/secrets/sh.helm.release.v1.{world.tenant}.v1"
    (deployed,) = (await list_releases(world.client))[world.namespace, world.tenant]
    await seal(world.client, world.namespace, world.tenant, deployed)
    assert "immutable" not in world.cluster.api.get(path)
    pending = msgspec.structs.replace(deployed, status="pending-install")
    await seal(world.client, world.namespace, world.tenant, pending)
    with pytest.raises(Refused, match="field is immutable"):
        world.cluster.api.patch(path, {"data": {"release": "AAAA"}})
    outcome = await world.run(UninstallRelease(world.tenant, world.namespace))
    assert outcome.failed is None
    assert not world.cluster.api.exists(path)
    await seal(world.client, world.namespace, world.tenant, pending)
    assert not world.cluster.api.exists(path)


async def test_success_that_nothing_came_of(world: World) -> None:
    await world.run(ApplyObject(world.namespace_manifest))
    liar = world.fake_helm("""echo '{"version": 1, "info": {"status": "deployed"}}'""")
    outcome = await world.run(InstallRelease(world.release()), helm=liar)
    assert (outcome.reason, outcome.is_release_failure) == ("InstallFailed", True)
    assert "has left no revision" in outcome.error
    await world.install()
    outcome = await world.run(UninstallRelease(world.tenant, world.namespace), helm=liar)
    assert "revision 1 is there and deployed" in outcome.error
    outcome = await world.run(UpgradeRelease(world.release("D2"), 1), helm=liar)
    assert outcome.is_lost  # the highest revision isn't the one that we asked for
    assert await world.history() == [(1, "deployed", "D1")]


async def test_the_end_of_leading(world: World) -> None:
    """Cancelled in the middle: nothing comes after, and Helm is gone."""
    await world.run(ApplyObject(world.namespace_manifest))
    began, pid = world.folder / "began", world.folder / "pid"
    hanging = world.fake_helm(f"echo $$ > {pid}; touch {began}; sleep 600")
    task = asyncio.ensure_future(world.run(InstallRelease(world.release()), EnsureFinalizer(), helm=hanging))
    while not began.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert "finalizers" not in world.cluster.api.get(world.source_path)["metadata"]


# -- what failures mean


@pytest.mark.parametrize(
    ("error", "is_release_failure", "is_lost"),
    [
        (HelmError("rejected", "no"), True, False),
        (HelmError("timed_out", "no"), True, False),
        (HelmError("unrecorded", "no"), True, False),
        (HelmError("killed", "no"), True, False),
        (HelmError("forbidden", "no"), True, False),
        (HelmError("unknown", "no"), True, False),
        (HelmError("in_progress", "no"), False, True),
        (HelmError("unreachable", "no"), False, True),
        (HelmError("terminating", "no"), False, False),
        (HelmError("unsupported", "no"), False, False),
        (ApiError(0, "Unreachable", "no"), False, True),
        (ApiError(401, "Unauthorized", "no"), False, True),
        (ApiError(429, "TooManyRequests", "no"), False, True),
        (ApiError(503, "ServiceUnavailable", "no"), False, True),
        (ApiError(403, "Forbidden", "no"), False, False),
        (ApiError(409, "NotOurs", "no"), False, False),
        (ApiError(422, "Invalid", "no"), False, False),
    ],
)
def test_whom_a_failure_is_held_against(error: ApiError | HelmError, is_release_failure: bool, is_lost: bool) -> None:
    outcome = failure_of((), UninstallRelease("a", "b"), error)
    assert (outcome.is_release_failure, outcome.is_lost) == (is_release_failure, is_lost)
    assert outcome.error == "The release could not be uninstalled: no."
    assert outcome.reason == ("UninstallFailed" if isinstance(error, HelmError) else error.reason)


@pytest.mark.parametrize("reason", ["", "no word", "<b>", "lower", "É"])
def test_reasons_are_words(reason: str) -> None:
    assert failure_of((), DropFinalizer(), ApiError(400, reason, "no")).reason == "ApiError"


def test_a_value_that_the_server_quotes_is_not_told() -> None:
    refused = ApiError(422, "Invalid", f'Secret "a" is invalid: data[k]: Invalid value: "{SECRET}": no')
    assert SECRET not in failure_of((), DropFinalizer(), refused).error
