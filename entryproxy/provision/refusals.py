"""One tenant's wishes against what lives in the cluster already: what would collide, before anything is written.

The cluster's own neighbours are judged here whoever installed them; `collisions` judges them against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.inventory import Controller, Inventory, ReleaseName, Workload
from entryproxy.provision.phrases import cluster_name, grouped, listed, name_of, numbers
from entryproxy.provision.problems import Problem
from entryproxy.provision.requirements import CHART_CONTROLLER_NAME
from entryproxy.provision.state import Desired
from entryproxy.provision.value_ownership import check_own_values
from entryproxy.provision.values import core_values, listeners, unprefixed

W = TypeVar("W", bound=Workload)

DEFINITION_VERSIONS: Mapping[str, str] = {
    "envoyfilters.networking.istio.io": "v1alpha3",
    "http2rpcs.networking.higress.io": "v1",
    "mcpbridges.networking.higress.io": "v1",
    "wasmplugins.extensions.higress.io": "v1alpha1",
}
"""CustomResourceDefinitions of higress-core 2.2.1 and the version in which its objects are written."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant's release would take of the things that there is one of.

    source: "namespace/name" of its ConfigMap. ports: on which its gateway listens. watched: as in `Controller`.
    """

    tenant: str
    source: str
    namespace: str
    class_name: str
    gateway: str
    controller: str
    watched: str = ""
    ports: frozenset[int] = frozenset()
    node_ports: frozenset[int] = frozenset()
    is_shared: bool = False
    has_gateway_api: bool = False

    @property
    def release(self) -> ReleaseName:
        return self.namespace, self.tenant


def wish_of_spec(tenant: str, spec: TenantSpec, *, source: str) -> Wish:
    """Of a document; needs `spec.release`. Values that are refused anyway count for nothing."""
    release = spec.release
    assert release is not None
    namespace = spec.gateway.namespace or f"{tenant}-gateway"
    if any(problem.is_fatal for problem in check_own_values(tenant, release, namespace=namespace)):
        release = msgspec.structs.replace(release, values={})
    core = core_values(tenant, release, namespace=namespace)
    return _wish(tenant, source, namespace, core, is_shared=release.isolation == "shared")


def wish_of(desired: Desired) -> Wish:
    """Of what is about to be written; in a namespace that we don't make, others live too."""
    is_shared = all(manifest["kind"] != "Namespace" for manifest in desired.objects)
    core = unprefixed(desired.release.values)
    return _wish(desired.tenant, desired.source, desired.namespace, core, is_shared=is_shared)


def _wish(tenant: str, source: str, namespace: str, core: Mapping[str, Any], *, is_shared: bool) -> Wish:
    everywhere, gateway = core["global"], core["gateway"]
    return Wish(
        tenant=tenant,
        source=source,
        namespace=namespace,
        class_name=everywhere["ingressClass"],
        gateway=gateway["name"],
        controller=core["controller"].get("name") or CHART_CONTROLLER_NAME,
        watched=str(everywhere.get("watchNamespace") or namespace),
        ports=frozenset(port for port in listeners(core) if isinstance(port, int)),
        node_ports=_node_ports(gateway["service"].get("ports")),
        is_shared=is_shared,
        has_gateway_api=bool(everywhere.get("enableGatewayAPI")),
    )


def _node_ports(ports: Any) -> frozenset[int]:
    listed = ports if isinstance(ports, list | tuple) else ()
    found = (port.get("nodePort") for port in listed if isinstance(port, Mapping))
    return frozenset(number for number in found if isinstance(number, int))


class Neighbours:
    """What is taken in a cluster, to be looked up: a thousand tenants are judged against a thousand releases.

    earlier: wishes of tenants whose ConfigMaps are older, whether or not anything of theirs is installed already.
    """

    def __init__(self, inventory: Inventory, earlier: Iterable[Wish] = ()) -> None:
        self.inventory = inventory
        self.classes = {one.name: one for one in inventory.classes}
        self.controllers = grouped(inventory.controllers, lambda one: one.class_name)
        self.workloads = grouped(inventory.workloads, lambda one: one.namespace)
        self.roles = grouped(inventory.workloads, lambda one: cluster_name(one.name, one.namespace))
        self.owners = {one.name: one for one in inventory.namespaces}
        self.with_gateway_api = [one for one in inventory.controllers if one.has_gateway_api]
        self.wishes: dict[str, list[Wish]] = {}
        self.wishes_for_gateway_api: list[Wish] = []
        for wish in earlier:
            self.admit(wish)

    def reaches(self, workload: Workload, wish: Wish) -> bool:
        """Not out of a namespace that we made for another tenant: what runs there has no rights beyond it, and whoever
        can start it could keep others from their classes by what it says of itself."""
        return workload.namespace == wish.namespace or workload.namespace not in self.owners

    def admit(self, wish: Wish) -> None:
        """From now on it came earlier than all others."""
        self.wishes.setdefault(wish.namespace, []).append(wish)
        if wish.has_gateway_api:
            self.wishes_for_gateway_api.append(wish)


def refusals(wish: Wish, inventory: Inventory, earlier: Iterable[Wish] = ()) -> list[Problem]:
    """Why the release would collide. earlier: as in `Neighbours`, so that of two tenants the younger yields."""
    return [*refusals_among(wish, Neighbours(inventory, earlier)), *_definitions(inventory)]


def refusals_among(wish: Wish, neighbours: Neighbours) -> list[Problem]:
    """The same for many wishes one after the other, without what goes wrong for all of them alike."""
    return [
        *_class(wish, neighbours),
        *_namespace(wish, neighbours),
        *_watched(wish, neighbours),
        *_names(wish, neighbours),
        *_ports(wish, neighbours),
        *_gateway_api(wish, neighbours),
    ]


def _watched(wish: Wish, neighbours: Neighbours) -> Iterator[Problem]:
    """Its controller may read all Secrets there."""
    if wish.watched == wish.namespace:
        return
    owner = neighbours.owners.get(wish.watched)
    owners = {owner.tenant} if owner is not None else set()
    owners |= {one.tenant for one in neighbours.wishes.get(wish.watched, ())}
    for tenant in sorted(owners - {wish.tenant}):
        message = f"Namespace {wish.watched} is tenant {tenant}'s: whoever watches it reads its Secrets"
        yield Problem("release.values.global.watchNamespace", message, "NamespaceTaken")


def _class(wish: Wish, neighbours: Neighbours) -> Iterator[Problem]:
    name = wish.class_name
    there = neighbours.classes.get(name)
    if there is not None and there.owner != wish.release:
        whose = f"belongs to release {name_of(there.owner)}" if there.owner else "is there and belongs to no release"
        message = f"IngressClass {name} {whose}: Helm would refuse it; remove that one, or take another tenant id"
        yield Problem("release", message, "ClassTaken")
    ours = Controller(namespace=wish.namespace, name=wish.controller, class_name=name, watched=wish.watched)
    for other in _reaching(wish, neighbours, neighbours.controllers.get(name, ())):
        if other.overlaps(ours):
            message = f"{other} takes Ingresses of class {name} too; give it another global.ingressClass"
            yield Problem("release", message, "ClassTaken")
    for other in _reaching(wish, neighbours, neighbours.controllers.get("", ())):
        if other.overlaps(ours):
            message = f"{other} takes Ingresses of every class, this tenant's too; set its global.ingressClass"
            yield Problem("release", message, "GreedyClass", is_fatal=False)


def _namespace(wish: Wish, neighbours: Neighbours) -> Iterator[Problem]:
    there = neighbours.owners.get(wish.namespace)
    if there is not None and (there.tenant, there.entry) != (wish.tenant, wish.source.partition("/")[0]):
        message = f"Namespace {there.name} is of tenant {there.tenant}, ConfigMap {there.source}; take another one"
        yield Problem("gateway.namespace", message, "NamespaceTaken")
    for other in _earlier(wish, neighbours):
        if not (other.is_shared and wish.is_shared):
            message = f"Tenant {other.tenant}, which is older, wants the namespace {wish.namespace} too; take another"
            yield Problem("gateway.namespace", f"{message}, or release.isolation: shared for both", "NamespaceTaken")
    revisions = neighbours.inventory.releases.get(wish.release, ())
    if revisions and not any(one.digest for one in revisions):
        message = f"Release {name_of(wish.release)} is there and not ours; uninstall it, or take another namespace"
        yield Problem("gateway.namespace", message, "ReleaseTaken")


def _names(wish: Wish, neighbours: Neighbours) -> Iterator[Problem]:
    """A name in the namespace, and those that the chart makes of name and namespace for the whole cluster."""
    ours = (wish.gateway, wish.controller)
    for other in _others(wish, neighbours.workloads.get(wish.namespace, ())):
        if other.name in ours:
            message = f"{other} is there and isn't this release's; take another namespace, or remove it"
            yield Problem("gateway.namespace", message, "NameTaken")
    for role in (cluster_name(name, wish.namespace) for name in ours):
        for other in _reaching(wish, neighbours, neighbours.roles.get(role, ())):
            if other.namespace != wish.namespace:
                message = f"The ClusterRole {role} is also that of {other}; take another namespace"
                yield Problem("gateway.namespace", message, "NameTaken")


def _ports(wish: Wish, neighbours: Neighbours) -> Iterator[Problem]:
    if wish.is_shared:
        earlier = _earlier(wish, neighbours)
        takers = {other.release: other.ports for other in earlier}
        for other in _others(wish, neighbours.workloads.get(wish.namespace, ())):
            takers.setdefault(other.owner or (other.namespace, other.name), other.ports)
        for release, ports in takers.items():
            if both := wish.ports & ports:
                message = f"{name_of(release)} has {numbers(both)} in this namespace; set httpPort and httpsPort"
                yield Problem("release.values.gateway", message, "PortTaken")
    for service in neighbours.inventory.services if wish.node_ports else ():
        is_own = (service.namespace, service.name) == (wish.namespace, wish.gateway)
        if not is_own and (both := wish.node_ports & service.node_ports):
            message = f"{service} has the node port {numbers(both)}; take another one, or leave it to the cluster"
            yield Problem("release.values.gateway.service.ports", message, "PortTaken")


def _gateway_api(wish: Wish, neighbours: Neighbours) -> Iterator[Problem]:
    if not wish.has_gateway_api:
        return
    holders = [f"Tenant {one.tenant}" for one in neighbours.wishes_for_gateway_api if one.tenant != wish.tenant]
    holders += [str(one) for one in _reaching(wish, neighbours, neighbours.with_gateway_api)]
    if holders:
        message = f"{listed(holders)} has the Gateway API's fixed names, which one release alone can have; leave it off"
        yield Problem("release.gatewayAPI", message, "GatewayApiTaken")


def _definitions(inventory: Inventory) -> Iterator[Problem]:
    for one in inventory.definitions:
        wanted = DEFINITION_VERSIONS.get(one.name)
        if wanted and wanted not in one.versions:
            yield Problem("release.chart", lacking(one.name, wanted, one.versions), "DefinitionVersion")


def _reaching(wish: Wish, neighbours: Neighbours, workloads: Iterable[W]) -> Iterator[W]:
    return (one for one in _others(wish, workloads) if neighbours.reaches(one, wish))


def _others(wish: Wish, workloads: Iterable[W]) -> Iterator[W]:
    return (one for one in workloads if one.owner != wish.release)


def _earlier(wish: Wish, neighbours: Neighbours) -> list[Wish]:
    return [one for one in neighbours.wishes.get(wish.namespace, ()) if one.tenant != wish.tenant]


def lacking(name: str, wanted: str, served: Iterable[str]) -> str:
    """What is wrong with a CustomResourceDefinition that doesn't serve what the chart's objects are written in."""
    have = ", ".join(sorted(served)) or "nothing"
    return f"{name} serves {have}, and Higress's charts need {wanted}; update the CustomResourceDefinition"
