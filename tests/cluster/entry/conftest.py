"""One entry and one site serve most tests; those that end processes, or need a namespace of their own, start theirs."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Pair
from tests.cluster.cluster import Cluster
from tests.cluster.entry.site import Site
from tests.cluster.entry.steady import SteadyLoad
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import is_watch
from tests.e2e.gateways import Background, Gateway, wait_until
from tests.e2e.harness import SYSTEM_DOMAIN, Entry
from tests.e2e.probes import serial, status

POD_ADDRESSES = {"198.51.100.": "127.0.0."}
"""The API server refuses loopback addresses for pods; the proxy gives them to the entry instead."""
STEADY_HOST = f"app1.steady.{SYSTEM_DOMAIN}"
ZONE = "zone-a"
"""Where the shared entry runs."""
COLLECTIONS = 3
"""How many watches an entry keeps open."""


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Issues the tenants' certificates."""
    return Authority()


@pytest.fixture(scope="session")
def gateway(background: Background) -> Iterator[Gateway]:
    """The gateway of most tenants."""
    gateway = Gateway(background)
    yield gateway
    gateway.close()
    assert gateway.errors == []


@pytest.fixture(scope="session")
def steady_gateway() -> Iterator[Gateway]:
    """The gateway of tenant steady."""
    background = Background()
    gateway = Gateway(background)
    yield gateway
    gateway.close()
    background.close()
    assert gateway.errors == []


@pytest.fixture(scope="session")
def make_site(cluster: Cluster, authority: Authority, steady_gateway: Gateway) -> Iterator[Callable[[], Site]]:
    """Sites with a platform and tenant steady, each behind a fault proxy of its own."""
    proxies: list[FaultProxy] = []

    def make() -> Site:
        proxies.append(FaultProxy(cluster, POD_ADDRESSES))
        site = Site(cluster, proxies[-1], authority)
        furnish(site, steady_gateway)
        return site

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.fixture(scope="session")
def site(make_site: Callable[[], Site]) -> Site:
    """Where most tests keep their objects."""
    return make_site()


@pytest.fixture(scope="session")
def entry(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    """The entry that most tests share."""
    state = state_folder(tmp_path_factory.mktemp("shared"))
    with site.running("--state-dir", str(state), "--zone", ZONE) as entry:
        yield entry


@pytest.fixture(scope="session")
def load(entry: Entry, steady_gateway: Gateway) -> Iterator[SteadyLoad]:
    """Runs through all tests of the shared entry."""
    with SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
        yield load


@pytest.fixture
def undisturbed(load: SteadyLoad) -> Iterator[None]:
    """Whatever the test does, tenant steady doesn't notice."""
    yield
    load.check()


@pytest.fixture
def faults(site: Site, entry: Entry) -> Iterator[FaultProxy]:
    """The shared entry's way to the API server, mended afterwards."""
    yield site.proxy
    site.proxy.heal()
    follow_again(site, entry)


@pytest.fixture
def tenant(site: Site, entry: Entry, gateway: Gateway) -> Iterator[str]:
    """A tenant of the test's own, served already, with a certificate for its system hosts: `<tenant>-wildcard`."""
    name = f"t{next(_numbers)}"
    pair, host = add_tenant(site, name, gateway), f"app1.{name}.{SYSTEM_DOMAIN}"
    wait_until(lambda: serial(entry, host) == pair.serial, "never covered")
    wait_until(lambda: status(entry, host, gateway.path()) == 200, "never served")
    yield name
    site.remove("configmaps", name)
    site.remove("secrets", f"{name}-wildcard", f"{name}-custom")


_numbers = itertools.count(1)


def furnish(site: Site, steady_gateway: Gateway) -> None:
    """A platform, and tenant steady."""
    site.platform()
    add_tenant(site, "steady", steady_gateway, domains=["shop.steady.example"])
    site.certificate("steady-custom", "steady", site.authority.issue("shop.steady.example"))


def add_tenant(site: Site, tenant: str, gateway: Gateway, **spec: object) -> Pair:
    """A tenant and the certificate for its system hosts, which the entry may see one after the other."""
    pair = site.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}")
    site.tenant(tenant, gateway={"addresses": [gateway.address]}, **spec)
    site.certificate(f"{tenant}-wildcard", tenant, pair)
    return pair


def follow_again(site: Site, entry: Entry) -> None:
    """Have the entry list and watch everything now, whatever it is waiting for."""
    before = len(site.proxy.received(is_watch))
    entry.signal(signal.SIGHUP)
    wait_until(lambda: len(site.proxy.received(is_watch)) >= before + COLLECTIONS, "it doesn't follow again")
    wait_until(lambda: entry.metric("entryproxy_config_source_up") == 1, "the source stays out of reach")


def state_folder(parent: Path) -> Path:
    """As an emptyDir is."""
    folder = parent / "state"
    folder.mkdir(mode=0o700)
    return folder
