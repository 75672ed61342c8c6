"""What is easily forgotten: a tenant that changes its name, a chart that is away, a look that leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from entryproxy.model.objects import FINALIZER, PROVISIONED_LABEL, STATUS_ANNOTATION
from tests.cluster.cluster import Cluster
from tests.cluster.provision.conftest import RESYNC_SECONDS
from tests.cluster.provision.place import SECONDS, Place
from tests.e2e.gateways import wait_until
from tests.e2e.harness import LABEL

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet")

OFTEN = ("--resync-seconds", str(RESYNC_SECONDS))


def test_removal_needs_no_chart(place: Place, cluster: Cluster, tmp_path: Path) -> None:
    with place.controlled(*OFTEN, identity="equipped"):
        place.provision("unfetched")
        ready = place.wait_for("unfetched", "Ready")
    place.remove("configmaps", "unfetched")
    place.provision("beginner")
    with place.controlled(*OFTEN, "--charts-dir", str(tmp_path), identity="unequipped"):
        place.wait_until_gone("unfetched")
        failed = place.wait_for("beginner", "Failed")
    assert not cluster.api.exists(f"/api/v1/namespaces/{ready.namespace}")
    assert failed.reason == "ChartUnavailable"
    place.remove("configmaps", "beginner")


def test_a_tenant_that_gets_another_name(place: Place, cluster: Cluster) -> None:
    """Its ConfigMap tells of one tenant at a time: the new one begins when the old one is gone."""
    told: list[str] = []

    def is_renamed() -> bool:
        status = place.status("formerly")
        if status is not None and (not told or told[-1] != status.namespace):
            told.append(status.namespace)
        return status is not None and (status.phase, status.namespace) == ("Ready", "henceforth-gateway")

    path = place.path("configmaps", "formerly")
    with place.controlled(*OFTEN):
        place.provision("formerly")
        place.wait_for("formerly", "Ready")
        cluster.api.patch(path, {"metadata": {"labels": {LABEL: "henceforth"}}})
        wait_until(is_renamed, "never renamed", SECONDS)
        metadata = cluster.api.get(path)["metadata"]
        assert metadata["labels"][PROVISIONED_LABEL] == "henceforth"
        assert metadata["finalizers"] == [FINALIZER]
        assert not cluster.api.exists("/api/v1/namespaces/formerly-gateway")
        place.remove("configmaps", "formerly")
        place.wait_until_gone("formerly")
    assert told == ["formerly-gateway", "henceforth-gateway"]


def test_a_label_that_outlived_its_finalizer_is_taken_away(place: Place, cluster: Cluster) -> None:
    """Somebody's hand dropped the one, and would be looked at for ever because of the other."""
    labels = {PROVISIONED_LABEL: "ghost"}
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ghost", "namespace": place.namespace, "labels": labels},
        }
    )
    path = place.path("configmaps", "ghost")
    with place.controlled(*OFTEN):
        wait_until(
            lambda: PROVISIONED_LABEL not in cluster.api.get(path)["metadata"].get("labels", {}), "stays", SECONDS
        )
    assert STATUS_ANNOTATION not in cluster.api.get(path)["metadata"].get("annotations", {})
    place.remove("configmaps", "ghost")


def test_a_dry_run_tells_nobody_but_who_asked(place: Place, cluster: Cluster) -> None:
    """Not even what would be worth a remark."""
    values = {"gateway": {"service": {"type": "NodePort"}}}
    place.provision("exposed", release={"profile": "dev", "values": values})
    preview = place.start_controller("--dry-run", identity="preview")
    wait_until(lambda: preview.has_ended, "never ends", SECONDS)
    preview.stop()
    assert any(line.startswith("exposed: Provisioning") for line in preview.messages), preview.last_words()
    events = cluster.api.get(f"/api/v1/namespaces/{place.namespace}/events")["items"]
    assert [one["reason"] for one in events if one["involvedObject"]["name"] == "exposed"] == []
    place.remove("configmaps", "exposed")
