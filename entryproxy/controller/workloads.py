"""Deployments and DaemonSets of a Higress → gateways and controllers, from what the chart writes into their pods."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from entryproxy.controller.survey import Item, Metadata, reader
from entryproxy.provision.inventory import Controller, Workload

HIGRESS_LABEL = "higress"
"""Of every workload of the chart: "<namespace>-<name>" for a gateway, the plain name for a controller."""
SIDE_PORTS = frozenset({15020, 15021, 15090})
"""Metrics and readiness, the same for every gateway and no listeners of its own."""


class _ContainerPort(msgspec.Struct, rename="camel"):
    container_port: int
    host_port: int = 0


class _Variable(msgspec.Struct):
    name: str
    value: str = ""


class _Container(msgspec.Struct):
    ports: list[_ContainerPort] | None = None
    args: list[str] | None = None
    env: list[_Variable] | None = None

    def option(self, name: str) -> str | None:
        """The value of `--name=value` or `--name value`, None without; the last one counts."""
        found, arguments = None, self.args or []
        for place, argument in enumerate(arguments):
            if argument.startswith(f"--{name}="):
                found = argument.partition("=")[2]
            elif argument == f"--{name}" and place + 1 < len(arguments):
                found = arguments[place + 1]
        return found


class _PodSpec(msgspec.Struct, rename="camel"):
    containers: list[_Container]
    host_network: bool = False

    def host_ports(self) -> frozenset[int]:
        ports = [port for one in self.containers for port in one.ports or ()]
        # On the node's network a container's ports are the node's.
        taken = (port.host_port or (port.container_port if self.host_network else 0) for port in ports)
        return frozenset(filter(None, taken))


class _Template(msgspec.Struct):
    spec: _PodSpec


class _WorkloadSpec(msgspec.Struct):
    template: _Template


class _Workload(Item):
    spec: _WorkloadSpec


def _workload(kind: str) -> Callable[[_Workload], Workload | None]:
    """Items of a list don't say their kind."""

    def read(item: _Workload) -> Workload | None:
        metadata, pod = item.metadata, item.spec.template.spec
        for container in pod.containers:
            if (class_name := container.option("ingressClass")) is not None:
                return _controller(kind, metadata, container, class_name)
        label = (metadata.labels or {}).get(HIGRESS_LABEL, "")
        # The chart labels its plugin server in the same way as a controller.
        return _gateway(kind, metadata, pod) if label.startswith(f"{metadata.namespace}-") else None

    return read


def _gateway(kind: str, metadata: Metadata, pod: _PodSpec) -> Workload:
    return Workload(
        kind=kind,
        namespace=metadata.namespace,
        name=metadata.name,
        owner=metadata.owner(),
        ports=frozenset(port.container_port for one in pod.containers for port in one.ports or ()) - SIDE_PORTS,
        host_ports=pod.host_ports(),
    )


def _controller(kind: str, metadata: Metadata, container: _Container, class_name: str) -> Controller:
    """Who gives neither flag nor variable has no Gateway API; the chart gives it always, and always the ports."""
    ports = (container.option(name) or "" for name in ("gatewayHttpPort", "gatewayHttpsPort"))
    api = {one.value for one in container.env or () if one.name == "PILOT_ENABLE_GATEWAY_API"}
    return Controller(
        kind=kind,
        namespace=metadata.namespace,
        name=metadata.name,
        owner=metadata.owner(),
        class_name=class_name,
        watched=container.option("watchNamespace") or "",
        has_gateway_api="true" in api,
        ports=frozenset(int(port) for port in ports if port.isascii() and port.isdigit()),
    )


DAEMON_SETS = reader(_Workload, _workload("DaemonSet"))
DEPLOYMENTS = reader(_Workload, _workload("Deployment"))
