"""What can't be is refused before anything is written, said where operators look, and done as soon as it is mended.

All refusals stand at the same time, beside a gateway of somebody else and a tenant that serves.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
import yaml

from entryproxy.model.status import TenantStatus
from entryproxy.provision.objects import POD_SECURITY_LABEL
from tests.charts import chart
from tests.cluster.cluster import Cluster
from tests.cluster.operators import Operator
from tests.cluster.provision.cases import CASES, DEV, OLD, OLD_CLASS, OLD_RELEASE, PIONEER, UMBRELLA
from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.listing import Identity, list_everything
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import wait_until
from tests.support import require_tool

pytestmark = pytest.mark.usefixtures("undisturbed")


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """How things stood when every tenant of CASES was refused. before, after: all objects before the first was
    declared, and then; runs: of Helm that changed something, meanwhile."""

    statuses: Mapping[str, TenantStatus]
    before: frozenset[Identity]
    after: frozenset[Identity]
    runs: list[str]


@pytest.fixture(scope="module")
def furnished(place: Place, cluster: Cluster, kubelet: Kubelet, controller: RunningController) -> Iterator[None]:
    """Somebody else's gateway, a tenant that serves, and charts of all kinds."""
    _pack_charts(place)
    values = {"global.ingressClass": OLD_CLASS, "global.enableGatewayAPI": "false", "gateway.service.type": "ClusterIP"}
    own = [option for key, value in values.items() for option in ("--set", f"{key}={value}")]
    cluster.helm("install", OLD_RELEASE, str(chart()), "-n", OLD, "--create-namespace", "--skip-crds", *own)
    cluster.kubectl("label", "namespace", OLD, f"{POD_SECURITY_LABEL}=baseline")
    place.provision(PIONEER, release={**DEV, "gatewayAPI": True})
    place.wait_for(PIONEER, "Ready")
    namespace = f"/apis/apps/v1/namespaces/{OLD}/deployments/higress-controller"
    wait_until(lambda: cluster.api.get(namespace)["status"].get("availableReplicas") == 1, "not settled", SECONDS)
    yield
    cluster.helm("uninstall", OLD_RELEASE, "-n", OLD, "--ignore-not-found")


def _pack_charts(place: Place) -> None:
    """One around the usual one, one of something else, and one beside the folder of charts."""
    usual = next(place.charts.folder.glob("higress-core*"))
    umbrella = place.charts.folder / UMBRELLA
    (umbrella / "charts").mkdir(parents=True)
    (shutil.copytree if usual.is_dir() else shutil.copy)(usual, umbrella / "charts" / usual.name)
    for folder, name in ((umbrella, UMBRELLA), (place.charts.folder / "alien", "alien")):
        folder.mkdir(exist_ok=True)
        about = {"apiVersion": "v2", "name": name, "version": place.charts.version}
        (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
        (folder / "values.yaml").write_text("{}")
    shutil.copytree(place.charts.folder / "alien", place.charts.folder.parent / "outside")


@pytest.fixture(scope="module")
def refused(place: Place, cluster: Cluster, controller: RunningController, furnished: None) -> Refused:
    before = list_everything(cluster)
    runs = len(controller.helm.runs())
    for tenant, case in CASES.items():
        place.provision(tenant, **case.spec)
    statuses = {tenant: place.wait_for(tenant, "Failed") for tenant in CASES}
    return Refused(statuses, before, list_everything(cluster), controller.helm.runs()[runs:])


def test_nothing_is_written(refused: Refused, place: Place) -> None:
    """But the tenants' own ConfigMaps, by whoever declared them."""
    assert refused.after - refused.before == {("ConfigMap", place.namespace, tenant) for tenant in CASES}
    assert refused.before <= refused.after
    assert refused.runs == []


@pytest.mark.parametrize("tenant", CASES)
def test_the_status_says_why(tenant: str, refused: Refused) -> None:
    status, case = refused.statuses[tenant], CASES[tenant]
    assert (status.reason, status.revision) == (case.reason, 0), status.message
    assert all(word in status.message for word in case.words), status.message
    assert {one.type: one.status for one in status.conditions} == {
        "Ready": "False",
        "Provisioned": "False",
        "Progressing": "False",
    }


@pytest.mark.parametrize("tenant", CASES)
def test_an_event_says_so(tenant: str, refused: Refused, place: Place) -> None:
    found = place.cluster.api.get(f"{place.path('events')}?fieldSelector=involvedObject.name={tenant}")["items"]
    told = {(one["type"], one["reason"], one["message"]) for one in found}
    assert ("Warning", CASES[tenant].reason, refused.statuses[tenant].message) in told


@pytest.mark.usefixtures("refused")
def test_nothing_holds_a_tenant_that_was_refused(place: Place) -> None:
    for tenant in CASES:
        assert "finalizers" not in place.cluster.api.get(place.path("configmaps", tenant))["metadata"]


def test_show_says_so(refused: Refused, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    operator = Operator(place.cluster, place.namespace, capsys)
    for tenant in ("misspelt", "squatter"):
        assert operator.tenant("show", tenant) == 0
        assert f"Failed ({CASES[tenant].reason})" in operator.out
        assert refused.statuses[tenant].message in operator.out


@pytest.mark.usefixtures("refused")
def test_a_dry_run_says_so_and_what_it_would_do(place: Place, cluster: Cluster) -> None:
    before = list_everything(cluster)
    preview = dry_run(place)
    assert preview.returncode == 1, preview.stderr
    for tenant, case in CASES.items():
        assert f"{tenant}: Failed ({case.reason}): " in preview.stdout
    assert f"{PIONEER}: Ready (Ready): Revision 1 is deployed and serves." in preview.stdout
    assert f"{len(CASES) + 1} tenants, 0 to be changed" in preview.stdout
    assert list_everything(cluster) == before


@pytest.mark.usefixtures("refused")
def test_what_is_mended_is_provisioned_at_once(place: Place, cluster: Cluster, controller: RunningController) -> None:
    """And what somebody else has is still as it was."""
    theirs = whole(cluster)
    mended = {tenant: case.mended for tenant, case in CASES.items() if case.mended is not None}
    for tenant, spec in mended.items():
        place.provision(tenant, **spec)
    for tenant in mended:
        place.wait_for(tenant, "Ready", revision=1)
    assert len([run for run in controller.helm.runs() if "upgrade" in run.split()]) == 1 + len(mended)
    assert place.values("unprefixed")["higress-core"]["gateway"]["replicas"] == 2
    assert whole(cluster) == theirs


@pytest.mark.usefixtures("refused")
def test_what_is_given_up_elsewhere_is_taken(place: Place, cluster: Cluster) -> None:
    """Nothing tells the controller of it but its own look every few seconds."""
    assert place.wait_for(OLD_CLASS, "Failed").reason == "ClassTaken"
    cluster.helm("uninstall", OLD_RELEASE, "-n", OLD)
    place.wait_for(OLD_CLASS, "Ready", revision=1)


def whole(cluster: Cluster) -> dict[Identity, str]:
    """What is in the namespace of somebody else, and at which version."""
    found = {}
    for path in (f"/api/v1/namespaces/{OLD}/services", f"/apis/apps/v1/namespaces/{OLD}/deployments"):
        for one in cluster.api.get(path)["items"]:
            found[path, OLD, one["metadata"]["name"]] = one["metadata"]["resourceVersion"]
    for path in (f"/api/v1/namespaces/{OLD}", f"/apis/networking.k8s.io/v1/ingressclasses/{OLD_CLASS}"):
        found[path, "", ""] = cluster.api.get(path)["metadata"]["resourceVersion"]
    return found


def dry_run(place: Place) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "entryproxy", "controller", "--dry-run", "--namespace", place.namespace),
            *("--kubeconfig", str(place.controller_account.kubeconfig)),
            *("--helm", require_tool("helm"), *place.charts.options),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
