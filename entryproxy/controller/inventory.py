"""One look at a cluster for what gateways collide over: a dozen lists, of objects' metadata alone where that is enough.

Every list may be refused: what isn't known is told of as `unjudged`, and all else is judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from entryproxy.controller import survey, workloads
from entryproxy.controller.releases import list_releases
from entryproxy.controller.survey import Reader
from entryproxy.controller.workloads import HIGRESS_LABEL
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import NOT_FOUND, ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.model.objects import PROVISIONED_LABEL
from entryproxy.provision.inventory import (
    Controller,
    Definition,
    IngressClass,
    Inventory,
    OpenService,
    OwnedNamespace,
    ReleaseName,
    Unjudged,
    Workload,
)
from entryproxy.provision.objects import OWNER_LABEL
from entryproxy.provision.refusals import DEFINITION_VERSIONS
from entryproxy.provision.state import Revision

OBJECTS_MAX = 50_000
"""Of one kind; where there are more, the kind is not judged."""
BYTES_MAX = 67_108_864
"""Likewise, of JSON of what counts: tenants choose how much a Deployment or a plugin of theirs says."""
_OWN_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"

T = TypeVar("T")


class _Kind(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What is listed. resource: as RBAC calls it. is_bare: without contents."""

    resource: str
    path: str
    read: Reader[T]
    selectors: Mapping[str, str] = {}
    is_bare: bool = False


class _List(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


_decode_list = any_depth(msgspec.json.Decoder(_List).decode)

_CLASSES: _Kind[IngressClass] = _Kind(
    resource="ingressclasses.networking.k8s.io",
    path="/apis/networking.k8s.io/v1/ingressclasses",
    read=survey.INGRESS_CLASSES,
)
_DAEMON_SETS: _Kind[Workload] = _Kind(
    resource="daemonsets.apps",
    path="/apis/apps/v1/daemonsets",
    selectors={"labelSelector": HIGRESS_LABEL},
    read=workloads.DAEMON_SETS,
)
_DEPLOYMENTS: _Kind[Workload] = _Kind(
    resource="deployments.apps",
    path="/apis/apps/v1/deployments",
    selectors={"labelSelector": HIGRESS_LABEL},
    read=workloads.DEPLOYMENTS,
)
_GATEWAY_CLASSES: _Kind[str] = _Kind(
    resource="gatewayclasses.gateway.networking.k8s.io",
    path="/apis/gateway.networking.k8s.io/v1/gatewayclasses",
    read=survey.GATEWAY_CLASSES,
)
_NAMESPACES: _Kind[OwnedNamespace] = _Kind(
    resource="namespaces",
    path="/api/v1/namespaces",
    selectors={"labelSelector": OWNER_LABEL},
    read=survey.NAMESPACES,
    is_bare=True,
)
_PLUGINS: _Kind[str] = _Kind(
    resource="wasmplugins.extensions.higress.io",
    path="/apis/extensions.higress.io/v1alpha1/wasmplugins",
    read=survey.PLUGINS,
)
_SERVICES: _Kind[OpenService] = _Kind(
    resource="services",
    path="/api/v1/services",
    selectors={"fieldSelector": "spec.type!=ClusterIP"},
    read=survey.SERVICES,
)


async def take_inventory(client: ClusterClient, entry_namespace: str = "") -> Inventory:
    """All at once, in as many requests at a time as there are kinds. Never fails: what does is `unjudged`.

    entry_namespace: where to look for `Inventory.sources`, "" to leave them out.
    """
    look = _Look(client)
    classes, daemon_sets, deployments, gateway_classes, namespaces = await asyncio.gather(
        look.items(_CLASSES),
        look.items(_DAEMON_SETS),
        look.items(_DEPLOYMENTS),
        look.items(_GATEWAY_CLASSES),
        look.items(_NAMESPACES),
    )
    plugins, services, sources, definitions, releases = await asyncio.gather(
        look.items(_PLUGINS),
        look.items(_SERVICES),
        look.sources(entry_namespace),
        look.definitions(),
        look.releases(),
    )
    pods = (*deployments, *daemon_sets)
    return Inventory(
        classes=classes,
        releases=releases,
        definitions=definitions,
        plugins=plugins,
        gateways=tuple(one for one in pods if not isinstance(one, Controller)),
        controllers=tuple(one for one in pods if isinstance(one, Controller)),
        services=services,
        namespaces=namespaces,
        gateway_classes=gateway_classes,
        sources=frozenset(sources),
        unjudged=tuple(sorted(look.unjudged)),
    )


class _Look:
    """Lists what it may, and keeps what it may not."""

    def __init__(self, client: ClusterClient) -> None:
        self.unjudged: list[Unjudged] = []
        self._client = client

    async def items(self, kind: _Kind[T]) -> tuple[T, ...]:
        try:
            return tuple(await self._list_again(kind))
        except ApiError as error:
            self._note(kind.resource, error)
            return ()

    async def sources(self, namespace: str) -> tuple[str, ...]:
        if not namespace:
            return ()
        kind: _Kind[str] = _Kind(
            resource="configmaps",
            path=f"/api/v1/namespaces/{namespace}/configmaps",
            selectors={"labelSelector": PROVISIONED_LABEL},
            read=survey.NAMES,
            is_bare=True,
        )
        return await self.items(kind)

    async def definitions(self) -> tuple[Definition, ...]:
        """The few by name: a cluster has hundreds of others, with schemas of megabytes."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        found = []
        for name in DEFINITION_VERSIONS:
            try:
                body = await self._client.get(f"{path}/{name}")
            except ApiError as error:
                if error.status == NOT_FOUND:
                    continue
                self._note(_OWN_DEFINITIONS, error)
                break
            found.append(survey.DEFINITIONS(msgspec.Raw(body)))
        return tuple(one for one in found if one is not None)

    async def releases(self) -> Mapping[ReleaseName, tuple[Revision, ...]]:
        try:
            return await list_releases(self._client)
        except ApiError as error:
            self._note("secrets", error)
            return {}

    async def _list_again(self, kind: _Kind[T]) -> list[T]:
        """A list whose pages expired while it was read is read once more."""
        try:
            return await self._list(kind)
        except ApiError as error:
            if not error.is_gone:
                raise
        return await self._list(kind)

    async def _list(self, kind: _Kind[T]) -> list[T]:
        found: list[T] = []
        size = 0
        async for page in self._client.list(kind.path, kind.selectors, metadata_only=kind.is_bare):
            for raw in _items(page):
                if (one := kind.read(raw)) is not None:
                    found.append(one)
                    size += len(raw)
            if len(found) > OBJECTS_MAX:
                raise ApiError(0, "TooLarge", f"There are more than {OBJECTS_MAX}")
            if size > BYTES_MAX:
                raise ApiError(0, "TooLarge", f"They have more than {BYTES_MAX} bytes")
        return found

    def _note(self, resource: str, error: ApiError) -> None:
        if error.status != NOT_FOUND:  # the cluster doesn't have the kind, so nothing of it collides
            self.unjudged.append(Unjudged(resource, error.message))


def _items(page: bytes) -> list[msgspec.Raw]:
    try:
        return _decode_list(page).items or []
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's list can't be read") from None
