"""Upgrades that Helm calls deployed and whose pods don't come up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.place import Place
from tests.cluster.provision.running import RunningController

pytestmark = pytest.mark.usefixtures("undisturbed")

BROKEN = {"profile": "dev", "values": {"gateway": {"image": "broken"}}}


@pytest.fixture(scope="module")
def controller(place: Place) -> Iterator[RunningController]:
    with place.controlled("--resync-seconds", "2", "--rollout-seconds", "4") as controller:
        yield controller


@pytest.mark.usefixtures("controller")
def test_pods_that_never_come_up_are_rolled_back_and_told_of(place: Place, kubelet: Kubelet) -> None:
    place.provision("imageless")
    place.wait_for("imageless", "Ready", revision=1)
    with kubelet.failing(image="broken"):
        place.provision("imageless", release=BROKEN)
        failed = place.wait_for("imageless", "Failed", revision=3)
        assert "The pods of revision 2 don't come up. Deployment higress-gateway: " in failed.message
        assert "Revision 3 stays deployed" in failed.message
        assert failed.next_retry in failed.message
        assert {one.type: one.status for one in failed.conditions} == {
            "Ready": "True",
            "Provisioned": "False",
            "Progressing": "False",
        }
        # The next try fails too, and waits for longer.
        again = place.wait_for("imageless", "Failed", revision=5)
        assert again.attempt.failures == 2
        assert [status for _, status in place.history("imageless")].count("deployed") == 1
    place.provision("imageless", release={"profile": "dev", "values": {"gateway": {"image": "another"}}})
    mended = place.wait_for("imageless", "Ready")
    assert mended.attempt.failures == 0


@pytest.mark.usefixtures("controller")
def test_a_first_release_whose_pods_never_come_up_goes_on_waiting(place: Place, kubelet: Kubelet) -> None:
    """There is nothing to go back to, and the cluster goes on trying by itself."""
    with kubelet.failing(image="broken"):
        place.provision("stillborn", release=BROKEN)
        failed = place.wait_for("stillborn", "Failed", revision=1)
        assert failed.reason == "GatewayUnavailable"
        assert not failed.has_served
    assert place.wait_for("stillborn", "Ready", revision=1).has_served
