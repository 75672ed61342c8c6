"""A tenant that goes takes everything with it, and disturbs nobody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.provision.listing import list_everything, wait_for_listing
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import wait_until
from tests.e2e.harness import LABEL

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet", "controller")

EVERYTHING: dict[str, Any] = {
    "release": {"profile": "dev"},
    "namespace": {"quota": {"cpu": "8", "memory": "16Gi"}, "admins": ["group:leaving-admins"]},
}


def test_nothing_is_left_of_a_tenant_that_was_deleted(place: Place, cluster: Cluster) -> None:
    before = list_everything(cluster)
    place.provision("leaving", **EVERYTHING)
    place.wait_for("leaving", "Ready")
    assert list_everything(cluster) > before
    place.remove("configmaps", "leaving")
    place.wait_until_gone("leaving")
    wait_for_listing(cluster, before, SECONDS)


def test_nothing_but_its_configmap_is_left_of_a_tenant_that_lost_its_label(place: Place, cluster: Cluster) -> None:
    before = list_everything(cluster)
    place.provision("unlabelled")
    place.wait_for("unlabelled", "Ready")
    path = place.path("configmaps", "unlabelled")
    cluster.api.patch(path, {"metadata": {"labels": {LABEL: None}}})
    wait_for_listing(cluster, before | {("ConfigMap", place.namespace, "unlabelled")}, SECONDS)
    wait_until(lambda: not cluster.api.get(path)["metadata"].get("finalizers"), "the finalizer stays", SECONDS)
    assert place.status("unlabelled") is None
    place.remove("configmaps", "unlabelled")


def test_a_copy_of_a_tenants_configmap_takes_nothing_with_it(place: Place, cluster: Cluster) -> None:
    """Finalizer, label and status are copied as well: once into another tenant's, once by mistake, and deleted."""
    place.provision("original")
    place.wait_for("original", "Ready", revision=1)
    copied = cluster.api.get(place.path("configmaps", "original"))
    marks = {key: copied["metadata"][key] for key in ("labels", "annotations", "finalizers")}
    for name in ("another", "mistake"):
        labels = {**marks["labels"], LABEL: name if name == "another" else "original"}
        metadata = {**marks, "name": name, "namespace": place.namespace, "labels": labels}
        cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": copied["data"]})
    place.remove("configmaps", "mistake")
    place.wait_until_gone("mistake")
    wait_until(lambda: place.history("another") == [(1, "deployed")], "another is never installed", SECONDS)
    place.wait_for("original", "Ready", revision=1)
    assert place.history("original") == [(1, "deployed")]
    for name in ("another", "original"):
        place.remove("configmaps", name)
    for name in ("another", "original"):
        place.wait_until_gone(name)


def test_a_tenant_that_is_removed_while_no_controller_runs(
    place: Place, cluster: Cluster, controller: RunningController
) -> None:
    """Its finalizer keeps it until there is one again; meanwhile nothing of it is touched."""
    before = list_everything(cluster)
    place.provision("waiting")
    place.wait_for("waiting", "Ready")
    there = list_everything(cluster)
    controller.stop()
    place.remove("configmaps", "waiting")
    assert list_everything(cluster) == there
    with place.controlled(identity="successor"):
        place.wait_until_gone("waiting")
        wait_for_listing(cluster, before, SECONDS)
