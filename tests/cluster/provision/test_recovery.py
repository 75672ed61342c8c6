"""Whoever is killed in the middle of a release leaves work to the next controller, which always brings it to an end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Selector
from tests.cluster.provision.breaking import (
    Controllers,
    Histories,
    from_the,
    objects,
    of_tenant,
    release_with,
    stopped_at,
    wait_for_fault,
    wait_until_settled,
)
from tests.cluster.provision.listing import list_everything, wait_for_listing
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.test_upgrade import REFUSED

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet")

MOMENTS = 10
UPGRADED = tuple(f"upgraded-{number}" for number in range(MOMENTS // 2))
"""Half as many as there are moments, since so many may be stopped at the same time."""
PARALLEL = ("--parallel", str(len(UPGRADED)))


@pytest.fixture(scope="module")
def histories(cluster: Cluster) -> Iterator[Histories]:
    with Histories(cluster) as histories:
        yield histories


@pytest.fixture(autouse=True)
def _never_two_deployed(histories: Histories) -> Iterator[None]:
    yield
    assert histories.doubles == []


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster) as proxy:
        yield proxy


@pytest.fixture
def controllers(place: Place, proxy: FaultProxy) -> Iterator[Controllers]:
    controllers = Controllers(place, proxy)
    yield controllers
    proxy.heal()
    controllers.close()


@dataclasses.dataclass(frozen=True)
class Break:
    """At which request Helm is killed, and how it leaves the release: number and status of its revisions.

    wanted: the release's specs one after the other; None takes the tenant away.
    """

    wanted: tuple[dict[str, Any] | None, ...]
    method: str
    part: str
    left: tuple[tuple[int, str], ...]

    def is_meant(self, tenant: str) -> Selector:
        return of_tenant(tenant, self.method, self.part.format(tenant))


BREAKS = {
    "left-install-objects": Break((release_with(2),), "PATCH", "/deployments/", ((1, "pending-install"),)),
    "left-install-record": Break(
        (release_with(2),), "PUT", "/secrets/sh.helm.release.v1.{}.v1", ((1, "pending-install"),)
    ),
    "left-upgrade-objects": Break(
        (release_with(1), release_with(2)), "PATCH", "/deployments/", ((1, "deployed"), (2, "pending-upgrade"))
    ),
    "left-upgrade-superseded": Break(
        (release_with(1), release_with(2)),
        *("PUT", "/secrets/sh.helm.release.v1.{}.v2"),
        ((1, "superseded"), (2, "pending-upgrade")),
    ),
    "left-rollback": Break(
        (release_with(2), {"profile": "dev", "values": REFUSED}),
        *("PUT", "/secrets/sh.helm.release.v1.{}.v3"),
        ((1, "superseded"), (2, "failed"), (3, "pending-rollback")),
    ),
    "left-uninstall": Break((release_with(2), None), "DELETE", "/services/", ((1, "uninstalling"),)),
}


def test_what_a_killed_helm_left_is_brought_to_an_end(
    place: Place, cluster: Cluster, controllers: Controllers, proxy: FaultProxy
) -> None:
    """One tenant for each way in which a release may be left; all are broken off at once."""
    controller = controllers.start("one", "--parallel", str(len(BREAKS)))
    before = list_everything(cluster)
    for tenant, broken in BREAKS.items():
        if len(broken.wanted) > 1:
            ask(place, tenant, broken.wanted[0])
    for tenant, broken in BREAKS.items():
        if len(broken.wanted) > 1:
            place.wait_for(tenant, "Ready", revision=1)
    with contextlib.ExitStack() as stack:
        stops = [stack.enter_context(stopped_at(proxy, broken.is_meant(tenant))) for tenant, broken in BREAKS.items()]
        for tenant, broken in BREAKS.items():
            ask(place, tenant, broken.wanted[-1])
        for stop in stops:
            wait_for_fault(stop, controller)
        assert len(controllers.helms()) >= len(BREAKS)
        controllers.kill(controller)
    for tenant, broken in BREAKS.items():
        assert tuple(place.history(tenant)) == broken.left, tenant

    controller = controllers.start()
    for tenant, broken in BREAKS.items():
        if broken.wanted[-1] is not None:
            ask(place, tenant, release_with(2))  # as it was, unless that is what the API server refuses
            wait_until_settled(place, tenant, 2)
            assert objects(place, tenant)
    place.remove("configmaps", *BREAKS)
    for tenant in BREAKS:
        place.wait_until_gone(tenant)
    wait_for_listing(cluster, before, SECONDS)
    controller.stop()


def test_a_controller_that_is_killed_at_any_moment_of_an_upgrade(
    place: Place, controllers: Controllers, proxy: FaultProxy, histories: Histories
) -> None:
    """Moments are counted in requests about a tenant, from the change of its spec until all is told: each tenant is
    stopped at another one, then the controller is killed."""
    controller = controllers.start("one", *PARALLEL)
    requests = requests_of_an_upgrade(place, proxy)
    for tenant in UPGRADED:
        place.provision(tenant, release=release_with(1))
    there = {}
    for tenant in UPGRADED:
        wait_until_settled(place, tenant, 1)
        there[tenant] = objects(place, tenant)
    for time, replicas in enumerate((2, 1)):
        with contextlib.ExitStack() as stack:
            stops = []
            for number, tenant in enumerate(UPGRADED):
                moment = 1 + requests * (2 * number + time) // MOMENTS
                stops.append(stack.enter_context(stopped_at(proxy, from_the(moment, of_tenant(tenant)))))
                place.provision(tenant, release=release_with(replicas))
            for stop in stops:
                wait_for_fault(stop, controller)
            controllers.kill(controller)
        for tenant in UPGRADED:
            assert there[tenant] == objects(place, tenant), "objects were lost"
        controller = controllers.start("one", *PARALLEL)
        for tenant in UPGRADED:
            wait_until_settled(place, tenant, replicas)
            assert objects(place, tenant) == there[tenant]
    for tenant in UPGRADED:
        made = histories.of(tenant)
        assert made == sorted(set(made)), "a revision was made twice"
    controller.stop()


def requests_of_an_upgrade(place: Place, proxy: FaultProxy) -> int:
    """How many there are about its tenant."""
    place.provision("measured", release=release_with(1))
    wait_until_settled(place, "measured", 1)
    before = len(proxy.received(of_tenant("measured")))
    place.provision("measured", release=release_with(2))
    wait_until_settled(place, "measured", 2)
    return len(proxy.received(of_tenant("measured"))) - before


def test_an_api_server_that_is_silent_about_one_tenant(
    place: Place, controllers: Controllers, proxy: FaultProxy
) -> None:
    """To Helm and to the controller itself: all others are provisioned meanwhile, and that one when it is over."""
    controller = controllers.start("one", "--parallel", "1", "--operation-seconds", "10")
    place.provision("stuck", release=release_with(1))
    wait_until_settled(place, "stuck", 1)
    with stopped_at(proxy, of_tenant("stuck", "PATCH")) as helm:
        place.provision("stuck", release=release_with(2))
        wait_for_fault(helm, controller)
        with stopped_at(proxy, of_tenant("stuck")):
            for tenant in ("moving-1", "moving-2"):
                place.provision(tenant)
            for tenant in ("moving-1", "moving-2"):
                place.wait_for(tenant, "Ready", revision=1)
    proxy.cut()
    wait_until_settled(place, "stuck", 2)
    controller.stop()


def test_a_tenant_that_is_deleted_while_no_controller_runs(
    place: Place, cluster: Cluster, controllers: Controllers
) -> None:
    """Even one whose install was broken off; the next controller removes everything."""
    controller = controllers.start()
    before = list_everything(cluster)
    with stopped_at(controllers.proxy, of_tenant("orphan", "PATCH", "/deployments/")) as stop:
        place.provision("orphan")
        wait_for_fault(stop, controller)
        controllers.kill(controller)
    place.remove("configmaps", "orphan")
    assert "deletionTimestamp" in cluster.api.get(place.path("configmaps", "orphan"))["metadata"]
    assert place.history("orphan") == [(1, "pending-install")]
    controller = controllers.start()
    place.wait_until_gone("orphan")
    wait_for_listing(cluster, before, SECONDS)
    controller.stop()


def ask(place: Place, tenant: str, release: dict[str, Any] | None) -> None:
    if release is None:
        place.remove("configmaps", tenant)
    else:
        place.provision(tenant, release=release)
