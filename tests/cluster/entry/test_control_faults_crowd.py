"""Hundreds of tenants: storms of events, lists of several pages, and lists that lack most of what was there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cluster.entry.conftest import STEADY_HOST, add_tenant
from tests.cluster.entry.site import Site
from tests.cluster.entry.steady import SteadyLoad
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Request, Selector, both, empty_list, failure, is_list, is_next_page, is_watch, of
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import LABEL, SYSTEM_DOMAIN, Entry
from tests.e2e.probes import status

CROWD = 600
"""More than a page of 500."""
CHANGES = 400
OTHERS = 1
"""Tenant steady."""
SECONDS = 20.0
_CROWD_LABEL = "crowd"


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    return make_site()


@pytest.fixture(scope="module")
def entry(site: Site) -> Iterator[Entry]:
    with site.running() as entry:
        yield entry


@pytest.fixture(scope="module")
def load(entry: Entry, steady_gateway: Gateway) -> Iterator[SteadyLoad]:
    with SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
        yield load


@pytest.fixture(scope="module")
def storm(site: Site, entry: Entry, gateway: Gateway, load: SteadyLoad) -> int:
    """A thousand changes as fast as the API server takes them; how many generations they made."""
    before = entry.metric("entryproxy_config_generation")
    asyncio.run(site.cluster.create_many(_tenant(site, number, gateway) for number in range(CROWD)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _change(site, number), range(CHANGES)))
    wait_until(lambda: entry.metric("entryproxy_tenants") == CROWD + OTHERS, "not all were added", SECONDS)
    last = f"app1.{_name(CHANGES - 1)}.{SYSTEM_DOMAIN}"
    wait_until(lambda: _plain_status(entry, last) == 503, "the last change is not in force", SECONDS)
    load.check()
    return int(entry.metric("entryproxy_config_generation") - before)


@pytest.fixture
def crowd(storm: int, entry: Entry, load: SteadyLoad) -> Iterator[float]:
    """How many tenants there are, while tenant steady notices nothing."""
    yield entry.metric("entryproxy_tenants")
    load.check()


def test_a_storm_settles_into_a_few_generations(storm: int) -> None:
    assert 1 <= storm < (CROWD + CHANGES) / 4


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_pages_that_expire(
    site: Site, entry: Entry, gateway: Gateway, crowd: float, faults: FaultProxy, times: int | None
) -> None:
    """410 between two pages: from the beginning, and in one piece when it goes on."""
    host = f"app1.paged.{SYSTEM_DOMAIN}"
    expired = faults.inject(failure(410), is_next_page, times)
    faults.refuse()
    add_tenant(site, "paged", gateway)
    faults.inject(failure(410), is_watch, times=3)
    faults.listen()

    wait_until(lambda: status(entry, host, gateway.path()) == 200, "never listed", SECONDS)
    lists = faults.received(_lists_of_config_maps)
    assert expired.used == (1 if times else 2)
    assert ("limit" in lists[-1].query) == (times is not None)
    assert entry.metric("entryproxy_tenants") == crowd + 1
    site.remove("configmaps", "paged")
    site.remove("secrets", "paged-wildcard")
    wait_until(lambda: entry.metric("entryproxy_tenants") == crowd, "it stays", SECONDS)


def test_a_sudden_empty_list_is_not_believed(entry: Entry, crowd: float, faults: FaultProxy) -> None:
    """A second one is asked for, and says otherwise."""
    asked = len(faults.received(_lists_of_config_maps))
    faults.inject(empty_list(), _lists_of_config_maps)
    faults.expire(of("configmaps"))

    wait_until(lambda: _is_said(entry, "[SuddenDrop]"), "no doubt was told", SECONDS)
    assert entry.metric("entryproxy_tenants") == crowd
    wait_until(lambda: len(faults.received(_lists_of_config_maps)) >= asked + 2, "never asked again", SECONDS)
    wait_until(lambda: _is_said(entry, "resolved: warning", "[SuddenDrop]"), "the doubt stays", SECONDS)
    assert entry.metric("entryproxy_tenants") == crowd
    assert _plain_status(entry, f"app1.{_name(0)}.{SYSTEM_DOMAIN}") == 503
    assert _plain_status(entry, f"app1.{_name(CROWD - 1)}.{SYSTEM_DOMAIN}") == 308


def test_most_of_them_deleted_while_nobody_watched(site: Site, entry: Entry, crowd: float, faults: FaultProxy) -> None:
    """It takes effect in the end, when a second list says the same."""
    asked = len(faults.received(_lists_of_config_maps))
    faults.refuse()
    _delete(site, f"{_CROWD_LABEL}=most")
    faults.inject(failure(410), is_watch, times=3)
    faults.listen()

    left = crowd - CHANGES
    wait_until(lambda: len(faults.received(_lists_of_config_maps)) > asked, "never listed", SECONDS)
    assert entry.metric("entryproxy_tenants") == crowd
    wait_until(lambda: entry.metric("entryproxy_tenants") == left, "never believed", SECONDS)
    first, second = faults.received(_lists_of_config_maps)[asked:]
    assert second.at - first.at >= 2


def test_what_a_watch_deletes_is_believed_at_once(site: Site, entry: Entry, crowd: float) -> None:
    asked = len(site.proxy.received(_lists_of_config_maps))
    _delete(site, _CROWD_LABEL)
    wait_until(lambda: entry.metric("entryproxy_tenants") == OTHERS, "never deleted", SECONDS)
    assert len(site.proxy.received(_lists_of_config_maps)) == asked


def _name(number: int) -> str:
    return f"c{number}"


def _tenant(site: Site, number: int, gateway: Gateway) -> Any:
    labels = {LABEL: _name(number), _CROWD_LABEL: "most" if number < CHANGES else "rest"}
    metadata = {"name": _name(number), "namespace": site.namespace, "labels": labels}
    text = f"gateway: {{addresses: ['{gateway.address}']}}\n"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"tenant.yaml": text}}


def _change(site: Site, number: int) -> None:
    """From now on plain HTTP is not redirected to https."""
    text = "gateway: {addresses: ['127.0.0.1:1']}\nhttpsRedirect: false\n"
    site.cluster.api.patch(site.path("configmaps", _name(number)), {"data": {"tenant.yaml": text}})


def _delete(site: Site, selector: str) -> None:
    site.cluster.api.raw("DELETE", f"{site.path('configmaps')}?labelSelector={selector.replace('=', '%3D')}")


def _plain_status(entry: Entry, host: str) -> int:
    """On the plain port: a redirect, or whatever comes of a request that isn't redirected."""
    with entry.plain_client(host) as client:
        return client.get("/").status


def _is_said(entry: Entry, *words: str) -> bool:
    return any(all(word in line for word in words) for line in entry.messages)


def _first_page_of(resource: str) -> Selector:
    def selects(request: Request) -> bool:
        return both(is_list, of(resource))(request) and not is_next_page(request)

    return selects


_lists_of_config_maps = _first_page_of("configmaps")
