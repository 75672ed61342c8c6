"""Upgrades that succeed and fail: what is deployed meanwhile, and what operators read."""

from __future__ import annotations

import pytest

from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import wait_until

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet")

REFUSED = {"gateway": {"service": {"ports": [{"name": "http2", "port": 80_000, "protocol": "TCP", "targetPort": 80}]}}}
"""Values that the chart renders and the API server doesn't take."""


def dev_with(replicas: int) -> dict[str, object]:
    return {"profile": "dev", "values": {"gateway": {"replicas": replicas}}}


def test_a_changed_spec_makes_one_revision(place: Place, controller: RunningController) -> None:
    place.provision("growing")
    place.wait_for("growing", "Ready", revision=1)
    runs = len(controller.helm.runs())
    place.provision("growing", release=dev_with(3))
    place.wait_for("growing", "Ready", revision=2)
    assert place.history("growing") == [(1, "superseded"), (2, "deployed")]
    assert place.values("growing")["gateway"]["replicas"] == 3
    assert len(controller.helm.runs()) == runs + 1


def test_what_is_no_part_of_the_release_needs_no_helm(place: Place, controller: RunningController) -> None:
    place.provision("quotas")
    place.wait_for("quotas", "Ready", revision=1)
    runs = len(controller.helm.runs())
    place.provision("quotas", namespace={"quota": {"cpu": "9", "memory": "20Gi"}}, domains=["quotas.example.org"])
    path = "/api/v1/namespaces/quotas-gateway/resourcequotas/entryproxy"
    wait_until(lambda: place.cluster.api.exists(path), "no quota", SECONDS)
    place.wait_for("quotas", "Ready", revision=1)
    assert len(controller.helm.runs()) == runs


@pytest.mark.usefixtures("controller")
def test_an_upgrade_that_fails_is_rolled_back_and_told_of(place: Place) -> None:
    """The previous values stay deployed, status says which revision, why and when next; a changed spec waits for
    nothing."""
    place.provision("breaking")
    place.wait_for("breaking", "Ready", revision=1)
    place.provision("breaking", release={"profile": "dev", "values": REFUSED})
    failed = place.wait_for("breaking", "Failed", revision=3)
    assert "spec.ports[0].port" in failed.message
    assert "Revision 3 stays deployed" in failed.message
    assert failed.next_retry in failed.message
    assert failed.attempt.failures == 1
    assert "ports" not in place.values("breaking")["gateway"]["service"]
    assert_one_is_deployed(place, "breaking")

    place.provision("breaking", release=dev_with(2))
    mended = place.wait_for("breaking", "Ready")
    assert (mended.attempt.failures, mended.next_retry) == (0, "")
    assert place.values("breaking")["gateway"]["replicas"] == 2
    assert_one_is_deployed(place, "breaking")


def assert_one_is_deployed(place: Place, tenant: str) -> None:
    history = place.history(tenant)
    assert [status for _, status in history].count("deployed") == 1, history
