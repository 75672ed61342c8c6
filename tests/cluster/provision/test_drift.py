"""What others delete or change of a tenant's objects is put right without a new revision, and what is theirs to decide
is left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.charts import chart
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import wait_until

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet")

TENANT = "drifting"
NAMESPACE = f"{TENANT}-gateway"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
_CORE = f"/api/v1/namespaces/{NAMESPACE}"
OURS: Mapping[str, str] = {
    "quota": f"{_CORE}/resourcequotas/entryproxy",
    "limits": f"{_CORE}/limitranges/entryproxy",
    "policy": f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/entryproxy-gateway",
    "role": f"{_RBAC}/namespaces/{NAMESPACE}/roles/entryproxy-admin",
    "binding": f"{_RBAC}/namespaces/{NAMESPACE}/rolebindings/entryproxy-admin",
}
CHARTS: Mapping[str, str] = {
    "deployment": f"{_APPS}/deployments/higress-gateway",
    "service": f"{_CORE}/services/higress-gateway",
    "account": f"{_CORE}/serviceaccounts/higress-controller",
    "cluster role": f"{_RBAC}/clusterroles/higress-controller-{NAMESPACE}",
    "cluster role binding": f"{_RBAC}/clusterrolebindings/higress-controller-{NAMESPACE}",
    "class": f"/apis/networking.k8s.io/v1/ingressclasses/{TENANT}",
}
EDITS: Mapping[str, Any] = {
    "quota": {"spec": {"hard": {"requests.cpu": "900"}}},
    "policy": {"spec": {"ingress": [{}]}},
    "role": {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]},
    "binding": {"subjects": []},
    "deployment": {"spec": {"template": {"spec": {"hostNetwork": True}}}},
    "service": {"spec": {"selector": {"app": "somebody-else"}}},
    "cluster role": {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]},
}
_NOISE = ("resourceVersion", "uid", "generation", "creationTimestamp", "managedFields")


@pytest.fixture(scope="module")
def settled(place: Place, controller: RunningController, kubelet: object) -> int:
    """The tenant is ready; how often Helm has been run by then."""
    namespace = {"quota": {"cpu": "8", "memory": "16Gi"}, "admins": ["group:drifting-admins"]}
    place.provision(TENANT, namespace=namespace)
    place.wait_for(TENANT, "Ready", revision=1)
    return len(controller.helm.runs())


@pytest.fixture
def without_helm(settled: int, place: Place, controller: RunningController) -> Iterator[None]:
    """Whatever happens, there is no new revision."""
    yield
    place.wait_for(TENANT, "Ready", revision=1)
    assert len(controller.helm.runs()) == settled
    assert place.history(TENANT) == [(1, "deployed")]


@pytest.mark.usefixtures("without_helm")
def test_what_is_deleted_comes_again(cluster: Cluster) -> None:
    paths = {**OURS, **CHARTS}.values()
    before = {path: essence(cluster, path) for path in paths}
    for path in paths:
        cluster.api.delete(path)
    for path in paths:
        wait_until(lambda path=path: is_as(cluster, path, before[path]), f"{path} isn't repaired", SECONDS)  # type: ignore[misc]


@pytest.mark.usefixtures("without_helm")
def test_what_is_changed_is_changed_back(cluster: Cluster) -> None:
    paths = {name: path for name, path in {**OURS, **CHARTS}.items() if name in EDITS}
    before = {path: essence(cluster, path) for path in paths.values()}
    for name, path in paths.items():
        cluster.api.patch(path, EDITS[name])
        assert not is_as(cluster, path, before[path]), name
    for path in paths.values():
        wait_until(lambda path=path: is_as(cluster, path, before[path]), f"{path} isn't repaired", SECONDS)  # type: ignore[misc]


@pytest.mark.usefixtures("without_helm")
def test_the_gateways_own_configuration_stays_as_it_was_edited(place: Place, cluster: Cluster) -> None:
    path = f"{_CORE}/configmaps/higress-config"
    edited = cluster.api.patch(path, {"data": {"higress": "gzip: {enable: false}\n"}})["data"]
    look_again(place, TENANT)
    assert cluster.api.get(path)["data"] == edited
    cluster.api.delete(path)
    wait_until(lambda: cluster.api.exists(path), "it doesn't come again", SECONDS)


@pytest.mark.usefixtures("settled")
def test_somebody_who_undoes_it_each_time_is_met_with_patience(
    place: Place, cluster: Cluster, controller: RunningController
) -> None:
    """It is repaired at once, and once more; then with pauses, as after failures."""
    place.provision("bystanding")
    place.wait_for("bystanding", "Ready")
    changed, unchanged = rounds(controller, "changed"), rounds(controller, "unchanged")
    with undoing(cluster, OURS["policy"], EDITS["policy"]) as count:
        wait_until(lambda: rounds(controller, "unchanged") >= unchanged + 6, "nobody else is looked at", SECONDS)
        assert 2 <= count() <= 6
    assert rounds(controller, "changed") - changed <= 6


def rounds(controller: RunningController, result: str) -> float:
    """How many looks at tenants ended so."""
    return controller.metric("entryproxy_controller_rounds_total", result=result)


# -- replicas


def test_the_number_of_gateways_under_an_autoscaler_is_its_own(place: Place, cluster: Cluster) -> None:
    place.provision("scaled", release={"profile": "prod"})
    place.wait_for("scaled", "Ready", revision=1)
    scale(cluster, "scaled", 5)
    look_again(place, "scaled")
    assert replicas(cluster, "scaled") == 5
    place.provision("scaled", release={"profile": "prod", "values": {"gateway": {"podAnnotations": {"a": "b"}}}})
    place.wait_for("scaled", "Ready", revision=2)
    assert replicas(cluster, "scaled") == 5


def test_what_is_scaled_by_hand_stays_until_the_tenant_says_how_many(place: Place, cluster: Cluster) -> None:
    place.provision("by-hand")
    place.wait_for("by-hand", "Ready", revision=1)
    scale(cluster, "by-hand", 4)
    look_again(place, "by-hand")
    assert replicas(cluster, "by-hand") == 4
    place.provision("by-hand", release={"profile": "dev", "values": {"gateway": {"replicas": 2}}})
    place.wait_for("by-hand", "Ready", revision=2)
    assert replicas(cluster, "by-hand") == 2
    assert place.history("by-hand") == [(1, "superseded"), (2, "deployed")]


def test_no_gateway_stops_when_autoscaling_begins(place: Place, cluster: Cluster) -> None:
    place.provision("growing-up", release={"profile": "dev", "values": {"gateway": {"replicas": 4}}})
    place.wait_for("growing-up", "Ready", revision=1)
    autoscaling = {"enabled": True, "minReplicas": 2, "maxReplicas": 6}
    place.provision("growing-up", release={"profile": "dev", "values": {"gateway": {"autoscaling": autoscaling}}})
    place.wait_for("growing-up", "Ready", revision=2)
    path = "/apis/autoscaling/v2/namespaces/growing-up-gateway/horizontalpodautoscalers/higress-gateway"
    assert cluster.api.get(path)["spec"]["minReplicas"] == 2
    assert replicas(cluster, "growing-up") == 4
    look_again(place, "growing-up")
    assert place.history("growing-up") == [(1, "superseded"), (2, "deployed")]


# -- helpers


def essence(cluster: Cluster, path: str) -> Any:
    """What an object says, without what the cluster counts."""
    found = cluster.api.get(path)
    found.pop("status", None)
    found["metadata"] = {key: value for key, value in found["metadata"].items() if key not in _NOISE}
    for key in ("clusterIP", "clusterIPs"):
        found.get("spec", {}).pop(key, None)
    found["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return found


def is_as(cluster: Cluster, path: str, expected: Any) -> bool:
    try:
        return bool(essence(cluster, path) == expected)
    except ApiError as error:
        if error.status != 404:
            raise
        return False


def look_again(place: Place, tenant: str) -> None:
    """Return when the controller has looked at the tenant twice, as it repairs one thing after the other."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{tenant}-gateway/networkpolicies/entryproxy-namespace"
    for _ in range(2):
        place.cluster.api.delete(path)
        wait_until(lambda: place.cluster.api.exists(path), "it isn't looked at", SECONDS)
    place.wait_for(tenant, "Ready")


def deployment(tenant: str) -> str:
    return f"/apis/apps/v1/namespaces/{tenant}-gateway/deployments/higress-gateway"


def scale(cluster: Cluster, tenant: str, number: int) -> None:
    """As an autoscaler does it, and `kubectl scale`."""
    cluster.api.patch(f"{deployment(tenant)}/scale", {"spec": {"replicas": number}})


def replicas(cluster: Cluster, tenant: str) -> int:
    return int(cluster.api.get(deployment(tenant))["spec"]["replicas"])


class undoing:  # noqa: N801 - reads as a verb
    """Meanwhile somebody changes an object again whenever it has been put right; gives how often that was."""

    def __init__(self, cluster: Cluster, path: str, edit: Any) -> None:
        self._cluster, self._path, self._edit = cluster, path, edit
        self._count = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Callable[[], int]:
        self._thread.start()
        return lambda: self._count

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        wanted = essence(self._cluster, self._path)
        while not self._is_over.wait(0.02):
            if is_as(self._cluster, self._path, wanted):
                self._cluster.api.patch(self._path, self._edit)
                self._count += 1


def test_what_is_upgraded_by_hand_is_upgraded_back(place: Place, controller: RunningController) -> None:
    """Helm hands our digest on to such a revision, and narrows none of its rights."""
    tenant, namespace = "handmade", "handmade-gateway"
    role = f"{_RBAC}/clusterroles/higress-controller-{namespace}"
    place.provision(tenant)
    place.wait_for(tenant, "Ready", revision=1)
    narrow = place.cluster.api.get(role)["rules"]
    place.cluster.helm(
        *("upgrade", tenant, str(chart()), "--namespace", namespace, "--reuse-values", "--skip-crds"),
        *("--force-conflicts", "--set", "gateway.replicas=4"),
    )
    assert place.cluster.api.get(role)["rules"] != narrow
    wait_until(lambda: place.history(tenant)[-1] == (3, "deployed"), "not upgraded back", SECONDS)
    place.wait_for(tenant, "Ready", revision=3)
    assert place.cluster.api.get(role)["rules"] == narrow
    assert place.values(tenant)["gateway"]["replicas"] == 1
