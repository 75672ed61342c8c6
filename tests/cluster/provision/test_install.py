"""Two tenants from defaults: installed once, sharing nothing, and what Helm says of them is what we say."""

from __future__ import annotations

import dataclasses

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.listing import Identity, list_everything
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import CHART
from tests.e2e.gateways import wait_until

FIRST, SECOND = TENANTS = ("first", "second")
REPAIRED = "/apis/networking.k8s.io/v1/namespaces/{}-gateway/networkpolicies/entryproxy-namespace"


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """made: all objects that came with the tenants; runs: what Helm was asked to do."""

    made: frozenset[Identity]
    runs: list[str]


@pytest.fixture(scope="module")
def installed(place: Place, kubelet: Kubelet, cluster: Cluster) -> Installation:
    """Both tenants are ready, and their controller has ended."""
    before = list_everything(cluster)
    with place.controlled() as controller:
        for tenant in TENANTS:
            place.provision(tenant, release={})
        for tenant in TENANTS:
            place.wait_for(tenant, "Ready")
        runs = controller.helm.runs()
    return Installation(list_everything(cluster) - before, runs)


@pytest.mark.usefixtures("installed")
def test_both_are_ready(place: Place) -> None:
    for tenant in TENANTS:
        status = place.status(tenant)
        assert status is not None
        assert (status.revision, status.namespace, status.has_served) == (1, f"{tenant}-gateway", True)
        assert {one.type: one.status for one in status.conditions}["Ready"] == "True"


def test_helm_ran_once_for_each(installed: Installation) -> None:
    assert len(installed.runs) == len(TENANTS), installed.runs


@pytest.mark.usefixtures("installed")
def test_helm_lists_what_we_say(place: Place) -> None:
    listed = {one["name"]: one for one in place.releases() if one["name"] in TENANTS}
    for tenant in TENANTS:
        one = listed[tenant]
        assert (one["namespace"], one["revision"], one["status"]) == (f"{tenant}-gateway", "1", "deployed")
        assert one["chart"] == f"{CHART}-{place.charts.version}"
        assert place.history(tenant) == [(1, "deployed")]


@pytest.mark.usefixtures("installed")
def test_helm_has_values_that_do_not_collide(place: Place) -> None:
    for tenant in TENANTS:
        values = place.values(tenant)
        assert values["global"]["ingressClass"] == tenant
        assert values["gateway"]["service"]["type"] == "ClusterIP"
        assert values["meshConfig"]["defaultConfig"]["gatewayTopology"]["numTrustedProxies"] == 1


def test_nothing_is_shared(place: Place, installed: Installation) -> None:
    """What Helm applied for the one is nothing of the other's, and everything new of the cluster is one's."""
    first, second = (place.manifest(tenant) for tenant in TENANTS)
    assert first and second
    assert not first & second
    kinds = ("ClusterRole", "ClusterRoleBinding", "IngressClass")
    ours = {one for one in installed.made if one[0].split(".")[0] in kinds}
    assert {("IngressClass.networking.k8s.io", "", tenant) for tenant in TENANTS} <= ours
    assert all(sum(tenant in name for tenant in TENANTS) == 1 for _, _, name in ours), ours


def test_each_has_all_that_it_is_to_have(installed: Installation) -> None:
    for tenant in TENANTS:
        namespace = f"{tenant}-gateway"
        there = {(kind.split(".")[0], name) for kind, where, name in installed.made if where == namespace}
        assert there >= {
            ("Deployment", "higress-gateway"),
            ("Deployment", "higress-controller"),
            ("Service", "higress-gateway"),
            ("ConfigMap", "higress-config"),
            ("NetworkPolicy", "entryproxy-gateway"),
            ("NetworkPolicy", "entryproxy-namespace"),
        }
        assert ("Namespace", "", namespace) in installed.made


@pytest.mark.usefixtures("installed")
def test_a_restart_changes_nothing(place: Place, cluster: Cluster) -> None:
    """The new controller has looked at both: it repairs what went missing, and starts Helm for neither."""
    policies = [REPAIRED.format(tenant) for tenant in TENANTS]
    for path in policies:
        cluster.api.delete(path)
    with place.controlled(identity="successor") as controller:
        for path in policies:
            wait_until(lambda path=path: cluster.api.exists(path), f"{path} isn't repaired", SECONDS)  # type: ignore[misc]
        for tenant in TENANTS:
            place.wait_for(tenant, "Ready")
            assert controller.metric("entryproxy_release_info", tenant=tenant, status="Ready", revision="1") == 1
        assert controller.helm.runs() == []
    for tenant in TENANTS:
        assert place.history(tenant) == [(1, "deployed")]
