"""Each module has a place of its own, with an entry, a kubelet, and a tenant "steady" whose traffic nothing disturbs.

Tenants' ids name things of the whole cluster, which all modules here share: no two tests may use the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.charts import CUSTOM_RESOURCES
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import PROGRAMS, ControlPlane
from tests.cluster.entry.conftest import (
    POD_ADDRESSES,
    STEADY_HOST,
    authority,
    background,
    furnish,
    steady_gateway,
)
from tests.cluster.entry.steady import SteadyLoad
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.place import Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry
from tests.support import require_tool

__all__ = ["authority", "background", "steady_gateway"]

RESYNC_SECONDS = 2


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane for these journeys alone: the tenants, classes and roles that they leave are nobody else's."""
    for program in PROGRAMS:
        require_tool(program)
    with ControlPlane(tmp_path_factory.mktemp("provision")) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def defined(cluster: Cluster) -> Cluster:
    """A cluster that knows the chart's custom resources."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    return cluster


@pytest.fixture(scope="module")
def kubelet(cluster: Cluster) -> Iterator[Kubelet]:
    with Kubelet(cluster) as kubelet:
        yield kubelet


@pytest.fixture(scope="module")
def place(
    defined: Cluster,
    authority: Authority,
    steady_gateway: Gateway,
    kubelet: Kubelet,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    with FaultProxy(defined, POD_ADDRESSES) as proxy:
        place = Place(defined, proxy, authority, tmp_path_factory.mktemp("place"))
        furnish(place, steady_gateway)
        yield place
        place.close()


@pytest.fixture(scope="module")
def controller(place: Place) -> Iterator[RunningController]:
    """For tests that don't end it."""
    with place.controlled("--resync-seconds", str(RESYNC_SECONDS)) as controller:
        yield controller


@pytest.fixture(scope="module")
def entry(place: Place) -> Iterator[Entry]:
    with place.running() as entry:
        yield entry


@pytest.fixture(scope="module")
def load(entry: Entry, steady_gateway: Gateway) -> Iterator[SteadyLoad]:
    """Runs through all tests of a module that asks for it."""
    with SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
        yield load


@pytest.fixture
def undisturbed(load: SteadyLoad) -> Iterator[None]:
    """Whatever the test does, tenant steady doesn't notice."""
    yield
    load.check()
