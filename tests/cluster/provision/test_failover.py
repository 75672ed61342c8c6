"""Of two controllers one leads; whatever happens to it in the middle of an upgrade, the other one brings that to an
end, and the first one changes nothing any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Delayed
from tests.cluster.provision.breaking import (
    Controllers,
    Histories,
    lease_holder,
    objects,
    of_tenant,
    release_with,
    stopped_at,
    wait_for_fault,
    wait_until_settled,
)
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import wait_until

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet")

DELAY_SECONDS = 1.0
"""Enough to freeze a process and to stall its way."""


@pytest.fixture(scope="module")
def histories(cluster: Cluster) -> Iterator[Histories]:
    with Histories(cluster) as histories:
        yield histories


@pytest.fixture
def ways(place: Place, cluster: Cluster) -> Iterator[tuple[Controllers, Controllers]]:
    """The leader's and the successor's."""
    with FaultProxy(cluster) as one, FaultProxy(cluster) as other:
        first, second = Controllers(place, one), Controllers(place, other)
        yield first, second
        one.heal()
        first.close()
        second.close()


class Pair:
    """A leader with an upgrade of `tenant` before it, and who waits for its end."""

    def __init__(self, place: Place, tenant: str, ways: tuple[Controllers, Controllers]) -> None:
        self.tenant = tenant
        self._place = place
        self.first, self._second = ways
        self.leader = self.first.start("one")
        wait_until(lambda: lease_holder(place) == "one", "nobody leads", SECONDS)
        place.provision(tenant, release=release_with(1))
        wait_until_settled(place, tenant, 1)
        self.objects = objects(place, tenant)
        self.successor = self._second.start("two")

    @property
    def proxy(self) -> FaultProxy:
        """The leader's way."""
        return self.first.proxy

    def upgrade(self) -> None:
        self._place.provision(self.tenant, release=release_with(2))

    def wait_for_successor(self) -> RunningController:
        """Until it has brought the upgrade to its end, with nothing lost."""
        wait_until(lambda: lease_holder(self._place) == "two", "nobody takes over", SECONDS)
        self.check()
        return self.successor

    def check(self) -> None:
        wait_until_settled(self._place, self.tenant, 2)
        assert objects(self._place, self.tenant) == self.objects

    def stop(self) -> None:
        for controller in (self.leader, self.successor):
            if not controller.has_ended:
                controller.stop()


def test_a_leader_that_is_killed(place: Place, ways: tuple[Controllers, Controllers], histories: Histories) -> None:
    pair = Pair(place, "killed", ways)
    with stopped_at(pair.proxy, of_tenant("killed", "PATCH")) as stop:
        pair.upgrade()
        wait_for_fault(stop, pair.leader)
        ways[0].kill(pair.leader)
        assert lease_holder(place) == "one"
    pair.wait_for_successor()
    assert histories.doubles == []
    pair.stop()


def test_a_leader_that_is_terminated(place: Place, ways: tuple[Controllers, Controllers], histories: Histories) -> None:
    """It ends its Helm, and gives the lease back before it is gone."""
    pair = Pair(place, "terminated", ways)
    with stopped_at(pair.proxy, of_tenant("terminated", "PATCH")) as stop:
        pair.upgrade()
        wait_for_fault(stop, pair.leader)
        assert pair.leader.stop() == 0
        assert not ways[0].helms()
        assert lease_holder(place) != "one"
    pair.wait_for_successor()
    assert histories.doubles == []
    pair.stop()


def test_a_leader_that_is_cut_off(place: Place, ways: tuple[Controllers, Controllers], histories: Histories) -> None:
    """It ends its Helm before its lease is over, and waits for another one when it is back."""
    pair = Pair(place, "cut-off", ways)
    with stopped_at(pair.proxy, of_tenant("cut-off", "PATCH")) as stop:
        pair.upgrade()
        wait_for_fault(stop, pair.leader)
        pair.proxy.stall()
        wait_until(lambda: lease_holder(place) == "two", "nobody takes over", SECONDS)
        assert not ways[0].helms()
    runs = pair.leader.helm.runs()
    pair.wait_for_successor()
    pair.proxy.resume()
    wait_until(pair.leader.is_ready, "it doesn't come back", SECONDS)
    pair.check()
    assert lease_holder(place) == "two"
    assert pair.leader.helm.runs() == runs
    assert histories.doubles == []
    pair.stop()


def test_a_leader_that_is_frozen(place: Place, ways: tuple[Controllers, Controllers], histories: Histories) -> None:
    """Its Helm isn't: that goes on much later, and must not record what nobody wants any more."""
    pair = Pair(place, "frozen", ways)
    last_but_one = of_tenant("frozen", "PUT", "/secrets/sh.helm.release.v1.frozen.v1")
    with stopped_at(pair.proxy, last_but_one, Delayed(DELAY_SECONDS)) as stop:
        pair.upgrade()
        wait_for_fault(stop, pair.leader)
        pair.leader.freeze()
        pair.proxy.stall()
    pair.wait_for_successor()
    made, runs = histories.of("frozen"), pair.leader.helm.runs()
    assert ways[0].helms()
    pair.proxy.resume()
    wait_until(lambda: not ways[0].helms(), "its Helm never ends", SECONDS)
    assert any(last.path.endswith(".v2") for last in pair.proxy.received(of_tenant("frozen", "PUT"))), (
        "no harm was done"
    )
    pair.leader.thaw()
    wait_until(lambda: pair.leader.has_ended, "it goes on", SECONDS)
    pair.check()
    assert pair.leader.helm.runs() == runs
    assert histories.of("frozen") == made
    assert histories.doubles == []
    pair.stop()
