"""A tenant's EndpointSlices → the pods of its gateway that may be dialled.

Conditions mean what they mean to kube-proxy: ready ones get requests; those that terminate but still serve get them
when nothing else is there; the others get none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from entryproxy.compiler.findings import warning
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledEndpointSlice, LabelledObject, SliceEndpoint
from entryproxy.model.tenant import GatewayEndpoint, GatewayService


def slices_of(service: GatewayService, slices: Iterable[LabelledEndpointSlice]) -> list[LabelledEndpointSlice]:
    """Those that belong to the Service: the label alone could be put on slices of any namespace."""
    return [one for one in slices if (one.namespace, one.service) == (service.namespace, service.name)]


def gateway_endpoints(
    source: LabelledObject, service: GatewayService, ours: Sequence[LabelledEndpointSlice], field: str
) -> tuple[tuple[GatewayEndpoint, ...] | None, list[Finding]]:
    """The pods, in order of address, None when nothing is known of them. ours: the Service's slices. source, field:
    where findings point to."""
    if not ours:
        message = (
            f"Service {service.namespace}/{service.name} has no EndpointSlice with this tenant's label; label the "
            f"Service: its EndpointSlices take the label from it. Until then {_instead(service)}"
        )
        return _unknown(service), [warning(source, "NoEndpoints", f"{field}.balance", message)]
    ports = [(one, _port_of(one, service.port)) for one in ours]
    if any(one.endpoints for one in ours) and not any(number for _, number in ports):
        known = sorted({f"{port.name or '(no name)'} {port.number}" for one in ours for port in one.ports})
        message = (
            f'"{service.port}" is no port of the pods behind Service {service.namespace}/{service.name}, which have: '
            f"{', '.join(known) or 'none'}. Until then {_instead(service)}"
        )
        return _unknown(service), [warning(source, "NoEndpoints", f"{field}.port", message)]
    found: dict[str, GatewayEndpoint] = {}
    for one, number in ports:
        for endpoint in one.endpoints if number else ():
            usable = _usable(endpoint, number)
            if usable is not None and (usable.address not in found or not usable.draining):
                found[usable.address] = usable
    return tuple(found[address] for address in sorted(found)), []


def _instead(service: GatewayService) -> str:
    return "the Service's name is dialled" if isinstance(service.port, int) else "nothing is dialled"


def _unknown(service: GatewayService) -> tuple[GatewayEndpoint, ...] | None:
    """A Service can be dialled by number only."""
    return None if isinstance(service.port, int) else ()


def _port_of(one: LabelledEndpointSlice, wanted: int | str) -> int:
    """The number of the wanted port in this slice, 0 when it has none."""
    return next((port.number for port in one.ports if wanted in (port.name, port.number)), 0)


def _usable(endpoint: SliceEndpoint, port: int) -> GatewayEndpoint | None:
    is_draining = endpoint.terminating and endpoint.serving
    if not is_draining and (endpoint.terminating or not endpoint.ready):
        return None
    address = f"[{endpoint.address}]:{port}" if ":" in endpoint.address else f"{endpoint.address}:{port}"
    return GatewayEndpoint(address=address, zone=endpoint.zone, for_zones=endpoint.for_zones, draining=is_draining)
