"""That the chart of our own has the traps of the real one: what is refused, ignored or shared here is so there.

With HIGRESS_CHART these run on the real chart too, and say whether ours is still like it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.cluster import Cluster, CommandError

CHART = str(chart())
FAST = ("--skip-crds", "--timeout", "20s")


@pytest.fixture(scope="module")
def prepared(cluster: Cluster) -> Cluster:
    """A cluster that knows the chart's custom resources."""
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    return cluster


class Release:
    """One release in a namespace of its own."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name
        self.namespace = cluster.new_namespace("trap")

    def install(self, *settings: str) -> None:
        self._helm(
            "upgrade", "--install", self.name, CHART, *FAST, *(part for one in settings for part in ("--set", one))
        )

    def uninstall(self) -> None:
        self._helm("uninstall", self.name, "--ignore-not-found")

    def objects(self) -> set[tuple[str, str]]:
        """Kind and name of the release's cluster-scoped objects."""
        return {
            (one["kind"], one["metadata"]["name"])
            for one in documents(self._helm("get", "manifest", self.name))
            if one["kind"] in ("ClusterRole", "ClusterRoleBinding", "IngressClass")
        }

    def config(self) -> dict[str, Any]:
        """What the live higress-config says of the parts of which the live ones win."""
        data = self.cluster.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/higress-config")["data"]
        found: dict[str, Any] = yaml.safe_load(data["higress"])
        return found

    def _helm(self, *arguments: str) -> str:
        return self.cluster.helm(*arguments, "--namespace", self.namespace)


def documents(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


@pytest.fixture
def pair(prepared: Cluster) -> Iterator[tuple[Release, Release]]:
    releases = Release(prepared, "one"), Release(prepared, "two")
    yield releases
    for one in releases:
        one.uninstall()


def test_the_usual_command_fails_for_a_second_tenant(pair: tuple[Release, Release]) -> None:
    one, two = pair
    one.install()
    with pytest.raises(CommandError, match="invalid ownership metadata"):
        two.install()


def test_a_namespace_and_a_class_of_its_own_share_nothing(pair: tuple[Release, Release]) -> None:
    one, two = pair
    one.install("global.ingressClass=one")
    two.install("global.ingressClass=two")
    assert one.objects() & two.objects() == set()
    assert ("IngressClass", "two") in two.objects()


def test_taking_ownership_gives_the_class_away_with_the_next_uninstall(pair: tuple[Release, Release]) -> None:
    one, two = pair
    one.install("global.ingressClass=shared")
    two.cluster.helm(
        *("upgrade", "--install", "two", CHART, *FAST, "--set", "global.ingressClass=shared", "--take-ownership"),
        *("--namespace", two.namespace),
    )
    two.uninstall()
    classes = one.cluster.kubectl("get", "ingressclass", "--output=name").split()
    assert "ingressclass.networking.k8s.io/shared" not in classes


def test_an_unknown_value_is_ignored_without_a_word(pair: tuple[Release, Release]) -> None:
    one, _ = pair
    one.install("global.ingressClass=one", "higress-core.gateway.replicas=7", "gateway.replica=7")
    deployment = one.cluster.api.get(f"/apis/apps/v1/namespaces/{one.namespace}/deployments/higress-gateway")
    assert deployment["spec"]["replicas"] == 2


def test_what_is_live_wins_over_some_values(pair: tuple[Release, Release]) -> None:
    one, _ = pair
    one.install("global.ingressClass=one", "downstream.idleTimeout=60")
    one.install("global.ingressClass=one", "downstream.idleTimeout=99")
    assert one.config()["downstream"]["idleTimeout"] == 60


def test_every_tenants_controller_may_read_all_secrets(pair: tuple[Release, Release]) -> None:
    one, two = pair
    one.install("global.ingressClass=one")
    account = f"system:serviceaccount:{one.namespace}:higress-controller"
    assert one.cluster.kubectl("auth", "can-i", "get", "secrets", "-n", two.namespace, "--as", account).strip() == "yes"


def test_deleting_the_namespace_first_leaks_objects_of_the_whole_cluster(pair: tuple[Release, Release]) -> None:
    one, _ = pair
    one.install("global.ingressClass=leaky")
    expected = one.objects()
    one.cluster.kubectl("delete", "namespace", one.namespace, "--wait=true", "--timeout=50s")
    left = one.cluster.kubectl("get", "ingressclass,clusterrole,clusterrolebinding", "--output=name")
    assert expected
    for kind, name in expected:
        assert (
            f"{kind.lower()}.{'networking' if kind == 'IngressClass' else 'rbac.authorization'}.k8s.io/{name}\n" in left
        )
    for kind, name in expected:
        one.cluster.kubectl("delete", kind, name)
    one.namespace = one.cluster.new_namespace("trap")  # for the fixture, which uninstalls


def test_the_longest_tenant_fits_the_selector_and_no_longer_one(prepared: Cluster) -> None:
    for length, fits in ((39, True), (40, False)):
        namespace = "t" * length + "-gateway"
        rendered = documents(prepared.helm("template", "one", CHART, "--namespace", namespace))
        deployment = next(
            one for one in rendered if one["kind"] == "Deployment" and "gateway" in one["metadata"]["name"]
        )
        label = deployment["spec"]["selector"]["matchLabels"]["higress"]
        assert (len(label) <= 63) == fits


def test_without_its_custom_resources_nothing_is_written(cluster: Cluster, prepared: Cluster) -> None:
    one = Release(prepared, "bare")
    cluster.kubectl("delete", "crd", "envoyfilters.networking.istio.io", "--wait=true")
    try:
        with pytest.raises(CommandError, match="ensure CRDs are installed first"):
            one.install("global.ingressClass=bare")
        assert cluster.helm("list", "--all-namespaces", "--filter", "^bare$", "--output=json") == "[]\n"
    finally:
        cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
        cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
