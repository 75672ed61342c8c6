from __future__ import annotations

import pytest

from entryproxy.compiler.endpoints import gateway_endpoints, slices_of
from entryproxy.model.objects import LabelledEndpointSlice, SliceEndpoint
from entryproxy.model.tenant import GatewayEndpoint, GatewayService
from tests.compiler.objects import config, endpoint_slice

SERVICE = GatewayService("a-gateway", "higress-gateway", 8080)
NAMED = GatewayService("a-gateway", "higress-gateway", "http")


def found(
    *slices: LabelledEndpointSlice, service: GatewayService = SERVICE
) -> tuple[tuple[GatewayEndpoint, ...] | None, list[str]]:
    endpoints, findings = gateway_endpoints(config("a"), service, slices_of(service, slices), "tenant.yaml: $.gateway")
    return endpoints, [f"{one.reason} {one.field}: {one.message}" for one in findings]


def addresses(*slices: LabelledEndpointSlice, service: GatewayService = SERVICE) -> list[str]:
    return [one.address for one in found(*slices, service=service)[0] or ()]


def pod(address: str, **fields: object) -> SliceEndpoint:
    return SliceEndpoint(address=address, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ready", "serving", "terminating", "expected"),
    [
        (True, True, False, "ready"),
        (False, False, False, "left out"),
        (False, True, False, "left out"),
        (False, True, True, "draining"),
        (False, False, True, "left out"),
        (True, True, True, "draining"),  # publishNotReadyAddresses keeps them ready
        (True, False, True, "left out"),
    ],
)
def test_conditions_mean_what_they_mean_to_kube_proxy(
    ready: bool, serving: bool, terminating: bool, expected: str
) -> None:
    one = pod("10.0.0.1", ready=ready, serving=serving, terminating=terminating)
    endpoints, findings = found(endpoint_slice("a", one))
    assert endpoints is not None
    assert ["draining" if each.draining else "ready" for each in endpoints] == (
        [] if expected == "left out" else [expected]
    )
    assert findings == []


def test_slices_of_one_service_are_one_list_in_order_of_address() -> None:
    first = endpoint_slice("a", "10.0.0.9", pod("10.0.0.1", zone="z", for_zones=("z",)), name="1")
    second = endpoint_slice("a", "10.0.0.5", "fd00::5", name="2")
    assert addresses(first, second) == ["10.0.0.1:8080", "10.0.0.5:8080", "10.0.0.9:8080", "[fd00::5]:8080"]
    assert (found(first)[0] or ())[0] == GatewayEndpoint(address="10.0.0.1:8080", zone="z", for_zones=("z",))


def test_a_pod_that_moves_between_slices_is_not_draining_while_one_says_that_it_is_ready() -> None:
    ending = endpoint_slice("a", pod("10.0.0.1", ready=False, terminating=True), name="1")
    ready = endpoint_slice("a", "10.0.0.1", name="2")
    for slices in ((ending, ready), (ready, ending)):
        assert [one.draining for one in found(*slices)[0] or ()] == [False]


def test_slices_of_other_services_and_namespaces_count_nothing() -> None:
    """Who may write EndpointSlices somewhere can put any tenant's label on them."""
    foreign = endpoint_slice("a", "10.6.6.6", namespace="b-gateway")
    other = endpoint_slice("a", "10.6.6.7", service="something-else")
    assert addresses(foreign, other, endpoint_slice("a", "10.0.0.1")) == ["10.0.0.1:8080"]
    assert found(foreign, other)[0] is None


def test_ports_are_found_by_name_and_by_number_in_each_slice() -> None:
    old = endpoint_slice("a", "10.0.0.1", ports=[("metrics", 9090), ("http", 8080)], name="1")
    new = endpoint_slice("a", "10.0.0.2", ports=[("http", 8081)], name="2")
    assert addresses(old, new, service=NAMED) == ["10.0.0.1:8080", "10.0.0.2:8081"]
    assert addresses(old, new) == ["10.0.0.1:8080"]


@pytest.mark.parametrize(("service", "expected"), [(SERVICE, None), (NAMED, ())])
def test_what_is_unknown_is_said(service: GatewayService, expected: object) -> None:
    instead = "nothing is dialled" if expected == () else "the Service's name is dialled"
    endpoints, (finding,) = found(service=service)
    assert endpoints == expected
    assert finding.startswith("NoEndpoints tenant.yaml: $.gateway.balance: Service a-gateway/higress-gateway has no ")
    assert finding.endswith(instead)
    endpoints, (finding,) = found(endpoint_slice("a", "10.0.0.1", ports=[("", 1), ("x", 2)]), service=service)
    assert endpoints == expected
    assert "which have: (no name) 1, x 2" in finding
    assert finding.endswith(instead)


@pytest.mark.parametrize("service", [SERVICE, NAMED])
def test_no_pod_at_all_is_known_to_be_none(service: GatewayService) -> None:
    assert found(endpoint_slice("a", ports=()), service=service) == ((), [])
    assert found(endpoint_slice("a", pod("10.0.0.1", ready=False)), service=service) == ((), [])
