"""What lives in a cluster that gateways can collide over, whoever installed it: the words of `collisions`."""

from __future__ import annotations

from collections.abc import Mapping, Set

import msgspec

from entryproxy.provision.state import Revision

ReleaseName = tuple[str, str]
"""Namespace and name."""
UNCLASSED = "nginx"
"""With this class a Higress controller takes Ingresses without any class, too."""


class IngressClass(msgspec.Struct, frozen=True, kw_only=True):
    """owner: the Helm release that it belongs to, None for none. is_default: Ingresses without a class get it."""

    name: str
    controller: str = ""
    owner: ReleaseName | None = None
    is_default: bool = False


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A CustomResourceDefinition. versions: that the API server serves. owner: as above."""

    name: str
    versions: frozenset[str]
    owner: ReleaseName | None = None


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A Deployment or DaemonSet of a Higress. ports: on which its gateway listens. host_ports: of nodes, that its pods
    take."""

    kind: str = "Deployment"
    namespace: str
    name: str
    owner: ReleaseName | None = None
    ports: frozenset[int] = frozenset()
    host_ports: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Controller(Workload, frozen=True, kw_only=True):
    """Makes one gateway's routes. class_name: of the Ingresses that it takes, "" for everybody's. watched: the one
    namespace whose objects it sees, "" for all."""

    class_name: str
    watched: str = ""
    has_gateway_api: bool = False

    def overlaps(self, other: Controller) -> bool:
        """Whether there may be objects that both see."""
        return not self.watched or not other.watched or self.watched == other.watched


class OpenService(msgspec.Struct, frozen=True, kw_only=True):
    """A Service that is reached from outside. node_ports, ports: its own. address: `loadBalancerIP`, "" for none.
    owner: as above."""

    namespace: str
    name: str
    owner: ReleaseName | None = None
    node_ports: frozenset[int] = frozenset()
    ports: frozenset[int] = frozenset()
    address: str = ""

    def __str__(self) -> str:
        return f"Service {self.namespace}/{self.name}"


class OwnedNamespace(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace that we made. source: "namespace/name" of its tenant's ConfigMap."""

    name: str
    tenant: str
    source: str

    @property
    def entry(self) -> str:
        """The namespace of the entry that the tenant is of: a cluster may have several, with the same ids."""
        return self.source.partition("/")[0]


class Unjudged(msgspec.Struct, frozen=True, order=True):
    """A kind that couldn't be listed. resource: "deployments.apps"; message: what the API server said."""

    resource: str
    message: str


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster; what is under `unjudged` is empty here and may not be so there.

    releases: all of Helm's, with their revisions. plugins: "namespace/name" of WasmPlugins whose `defaultConfig` is in
    force. gateway_classes: names of those that Higress serves. sources: "namespace/name" of the ConfigMaps whose
    release isn't taken away yet, whether or not they still declare a tenant.
    """

    classes: tuple[IngressClass, ...] = ()
    releases: Mapping[ReleaseName, tuple[Revision, ...]] = msgspec.field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    plugins: tuple[str, ...] = ()
    gateways: tuple[Workload, ...] = ()
    controllers: tuple[Controller, ...] = ()
    services: tuple[OpenService, ...] = ()
    namespaces: tuple[OwnedNamespace, ...] = ()
    gateway_classes: tuple[str, ...] = ()
    sources: Set[str] = frozenset()
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def workloads(self) -> tuple[Workload, ...]:
        return (*self.gateways, *self.controllers)

    def without(self, release: ReleaseName) -> Inventory:
        """As it is going to be when that release is uninstalled."""
        return msgspec.structs.replace(
            self,
            classes=tuple(one for one in self.classes if one.owner != release),
            releases={name: revisions for name, revisions in self.releases.items() if name != release},
            gateways=tuple(one for one in self.gateways if one.owner != release),
            controllers=tuple(one for one in self.controllers if one.owner != release),
            services=tuple(one for one in self.services if one.owner != release),
        )

    def is_judged(self, resource: str) -> bool:
        """Whether an empty list of them means that there are none."""
        return all(one.resource != resource for one in self.unjudged)
