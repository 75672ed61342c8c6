"""The set of a gateway's addresses: what a change keeps, and what it closes."""

from __future__ import annotations

import pytest

from entryproxy.edge import endpoints as module
from entryproxy.edge.endpoints import Endpoint, GatewayEndpoints
from entryproxy.model.tenant import GatewayEndpoint
from entryproxy.settings import EdgeLimits
from tests.support import Clock

ONE, TWO, THREE = "10.0.0.1:80", "10.0.0.2:80", "[fd00::3]:80"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1_000.0)
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


class IdleConnection:
    def __init__(self, endpoint: Endpoint) -> None:
        self.closed = False
        endpoint.idle[self] = None  # type: ignore[index]

    def close(self) -> None:
        self.closed = True


def made(*addresses: str | GatewayEndpoint, zone: str = "") -> GatewayEndpoints:
    endpoints = GatewayEndpoints(EdgeLimits(ejection_failures=1), zone)
    change(endpoints, *addresses)
    return endpoints


def change(endpoints: GatewayEndpoints, *addresses: str | GatewayEndpoint) -> None:
    endpoints.replace(GatewayEndpoint(address=one) if isinstance(one, str) else one for one in addresses)


def draining(address: str) -> GatewayEndpoint:
    return GatewayEndpoint(address=address, draining=True)


def picks(endpoints: GatewayEndpoints, times: int = 200) -> dict[str, int]:
    counted: dict[str, int] = {}
    for _ in range(times):
        endpoint = endpoints.pick()
        if endpoint is not None:
            counted[endpoint.address] = counted.get(endpoint.address, 0) + 1
    return counted


def only(endpoints: GatewayEndpoints) -> str | None:
    return None if endpoints.only is None else endpoints.only.address


def test_the_only_one_needs_no_choice() -> None:
    assert only(made()) is None
    assert made().pick() is None
    endpoints = made(ONE)
    assert only(endpoints) == ONE
    change(endpoints, ONE, TWO)
    assert only(endpoints) is None
    assert picks(endpoints).keys() == {ONE, TWO}
    change(endpoints, TWO)
    assert only(endpoints) == TWO
    assert [endpoint.text for endpoint in endpoints] == [f'"{TWO}"']


def test_an_address_that_stays_keeps_all_it_has() -> None:
    endpoints = made(ONE, TWO)
    one, two = endpoints
    idle, leaving = IdleConnection(one), IdleConnection(two)
    one.in_flight, one.open, one.health.failures = 3, 4, 2
    change(endpoints, THREE, GatewayEndpoint(address=ONE, zone="x", for_zones=("x",)))
    assert [endpoint.address for endpoint in endpoints] == [THREE, ONE]
    assert list(endpoints)[1] is one
    assert (one.zone, one.for_zones, one.wanted) == ("x", ("x",), True)
    assert len(one.idle) == 1
    assert not idle.closed
    assert leaving.closed
    assert not two.idle
    assert not two.wanted


def test_what_drains_gets_nothing_new_unless_nothing_else_is_there() -> None:
    endpoints = made(ONE, TWO)
    one, two = endpoints
    idle = IdleConnection(one)
    change(endpoints, draining(ONE), TWO)
    assert list(endpoints) == [one, two]
    assert idle.closed
    assert not one.idle
    assert not one.wanted
    assert picks(endpoints) == {TWO: 200}
    assert endpoints.pick_other({two}) is one
    change(endpoints, draining(ONE), draining(TWO))
    assert picks(endpoints) == {ONE: 100, TWO: 100}
    change(endpoints, ONE)
    assert one.wanted, "another pod has its address"


def test_a_newcomer_starts_slowly(clock: Clock) -> None:
    endpoints = made(ONE, TWO)
    assert picks(endpoints) == {ONE: 100, TWO: 100}, "all are new"
    change(endpoints, ONE, TWO, THREE)
    young = picks(endpoints, 600).pop(THREE)
    assert 10 < young < 30
    clock.now += 15
    assert young < picks(endpoints, 600).pop(THREE) < 150
    clock.now += 16
    assert picks(endpoints, 600) == {ONE: 200, TWO: 200, THREE: 200}
    change(endpoints, "10.0.0.8:80", "10.0.0.9:80")
    assert picks(endpoints) == {"10.0.0.8:80": 100, "10.0.0.9:80": 100}, "nobody knows either"


def test_our_zone_first() -> None:
    endpoints = made(GatewayEndpoint(address=ONE, zone="x"), GatewayEndpoint(address=TWO, zone="y"), zone="y")
    assert picks(endpoints) == {TWO: 200}
    two = list(endpoints)[1]
    endpoints.failed(two)
    assert picks(endpoints) == {ONE: 200}
    endpoints.succeeded(two)
    assert picks(endpoints) == {TWO: 200}


def test_who_fails_is_left_alone_until_it_returns(clock: Clock) -> None:
    endpoints = made(ONE, TWO)
    one, two = endpoints
    endpoints.failed(one)
    assert picks(endpoints) == {TWO: 200}
    clock.now += 1
    assert picks(endpoints) == {ONE: 100, TWO: 100}
    endpoints.failed(one)
    clock.now += 1
    assert picks(endpoints) == {TWO: 200}, "twice as long"
    endpoints.succeeded(one)
    assert picks(endpoints) == {ONE: 100, TWO: 100}, "a request that was under way came back well"
    endpoints.failed(two)
    clock.now += 0.5
    endpoints.failed(one)
    assert picks(endpoints) == {TWO: 200}, "the first to return, when all are ejected"


def test_nobody_begins_where_all_begin() -> None:
    """Or the first pod by address would get the first request of every tenant in every worker."""
    assert {next(iter(picks(made(ONE, TWO, THREE), 1))) for _ in range(200)} == {ONE, TWO, THREE}


def test_to_let_go_keeps_what_may_be_dialled() -> None:
    endpoints = made(ONE)
    assert endpoints.only is not None
    idle = IdleConnection(endpoints.only)
    endpoints.let_go()
    assert idle.closed
    assert not endpoints.only.wanted
    assert endpoints.pick() is endpoints.only


def test_there_is_an_end() -> None:
    """Of DNS answers, and of EndpointSlices, that anybody with a namespace may fill."""
    endpoints = GatewayEndpoints(EdgeLimits(gateway_endpoints_max=2), "")
    for _ in range(2):
        change(endpoints, ONE, TWO, THREE)
        assert [one.address for one in endpoints] == [ONE, TWO]
