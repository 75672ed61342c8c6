"""What there is of one tenant in the cluster: asked anew for each plan, by metadata wherever that is enough.

A tenant's release is looked for only where the tenant itself can be: in the namespace that is wanted now, in those that
carry our marks for it, and where its status says that it was. A Secret that calls itself its release anywhere else may
be anybody's, and what Helm would do to it is done with our rights.
"""

from __future__ import annotations

import msgspec

from entryproxy.controller.holders import Holder
from entryproxy.controller.leftovers import find_leftovers
from entryproxy.controller.manifests import Manifests
from entryproxy.controller.metadata import NOT_FOUND, list_metadata, together
from entryproxy.controller.own_objects import NAMESPACE, OwnObjects
from entryproxy.controller.releases import list_releases
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.paths import collection_path, object_path
from entryproxy.model.status import Attempt
from entryproxy.provision.revisions import is_foreign
from entryproxy.provision.state import Desired, ObjectState, Observed, Reference, Revision

_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")

_Objects = dict[Reference, ObjectState]
_Releases = dict[str, tuple[Revision, ...]]
"""The revisions of a tenant's release by namespace."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant to look at. desired: None for one that isn't wanted, or can't be had as it is wanted. wanted_source:
    "namespace/name" of its ConfigMap in force, "" for none. last_namespace: where its status says that the release is
    or was, "" if it doesn't. gateway_name: of the Deployment. is_removed, is_withdrawn: as in Observed."""

    tenant: str
    desired: Desired | None = None
    holders: tuple[Holder, ...] = ()
    wanted_source: str = ""
    last_namespace: str = ""
    attempt: Attempt = Attempt()
    gateway_name: str = ""
    is_removed: bool = False
    is_withdrawn: bool = False

    @property
    def is_going(self) -> bool:
        """Whether something is to be taken away rather than kept."""
        return self.is_removed or (self.desired is None and not self.wanted_source)

    @property
    def has_finalizer(self) -> bool:
        """On the ConfigMap that the plan is about: the wanted one, or any that is being removed."""
        about = "" if self.is_removed else self.wanted_source
        return any(holder.has_finalizer for holder in self.holders if not about or holder.source == about)

    @property
    def release_name(self) -> str:
        return self.desired.release.name if self.desired is not None else self.tenant

    @property
    def release_namespace(self) -> str:
        """Where it should be; what can't be had as it is wanted stays where it is. "" for nowhere."""
        if self.desired is not None:
            return self.desired.release.namespace
        return "" if self.is_going else self.last_namespace


class Observer:
    """Looks at one tenant after another."""

    def __init__(self, client: ClusterClient, manifests: Manifests) -> None:
        self._client = client
        self._manifests = manifests
        self._own_objects = OwnObjects(client)

    async def observe(self, target: Target) -> Observed:
        """Everything that `plan` asks. Raises ApiError: half a look is none."""
        objects = await self._objects(target)
        own = [one.reference.name for one in objects.values() if one.is_ours and one.reference.kind == NAMESPACE[1]]
        releases = await self._releases(target, own)
        where = _found_in(target, releases, own)
        revisions = releases[where] if where else ()
        namespace = objects.pop(Reference(*NAMESPACE, "", _home(target, where, own)), None)
        return Observed(
            namespace=namespace,
            objects=tuple(objects[each] for each in sorted(objects)),
            revisions=revisions,
            release_name=target.release_name if where else "",
            release_namespace=where,
            attempt=target.attempt,
            is_removed=target.is_removed,
            has_finalizer=target.has_finalizer,
            is_withdrawn=target.is_withdrawn,
            is_gateway_ready=await self._is_gateway_ready(target),
            missing=await self._missing(target, where, revisions),
            leftovers=await self._leftovers(target, releases, own),
            definitions=await self._definitions(target),
        )

    def forget(self, tenant: str) -> None:
        """There is no such tenant any more."""
        self._own_objects.forget(tenant)
        self._manifests.forget(tenant)

    async def _objects(self, target: Target) -> _Objects:
        wanted = target.desired.objects if target.desired is not None else ()
        names = {target.release_namespace, target.last_namespace} - {""}
        return await self._own_objects.look(target.tenant, wanted, [Reference(*NAMESPACE, "", one) for one in names])

    async def _releases(self, target: Target, own: list[str]) -> _Releases:
        """In every namespace where the tenant's release may be; no revisions where there is none."""
        places = [target.release_namespace, target.last_namespace, *own]
        if target.is_going:  # nobody may know any more where it was; most likely in the usual one
            places.append(f"{target.tenant}-gateway")
        places = [one for one in dict.fromkeys(places) if one]
        found = await together(*(list_releases(self._client, place) for place in places))
        return {place: some.get((place, target.release_name), ()) for place, some in zip(places, found, strict=True)}

    async def _missing(self, target: Target, where: str, revisions: tuple[Revision, ...]) -> tuple[Reference, ...]:
        is_settled = bool(revisions) and revisions[-1].status == "deployed" and not is_foreign(revisions)
        if target.desired is None or target.is_going or not is_settled or where != target.release_namespace:
            return ()
        return await self._manifests.missing(target.release_name, where, revisions[-1])

    async def _leftovers(self, target: Target, releases: _Releases, own: list[str]) -> tuple[Reference, ...]:
        if not target.is_going:
            return ()
        orphaned = [place for place, revisions in releases.items() if not revisions]
        return await find_leftovers(self._client, target.release_name, orphaned, own)

    async def _definitions(self, target: Target) -> frozenset[str]:
        wanted = target.desired.definitions if target.desired is not None and not target.is_going else ()
        path = collection_path(*_DEFINITION)
        names = (one["metadata"]["name"] for one in wanted)
        found = await together(*(list_metadata(self._client, path, name=name) for name in names))
        return frozenset(one.name for some in found for one in some)

    async def _is_gateway_ready(self, target: Target) -> bool:
        if target.is_going or not (target.gateway_name and target.release_namespace):
            return False
        path = object_path("apps/v1", "Deployment", target.release_namespace, target.gateway_name)
        try:
            return _decode_deployment(await self._client.get(path)).is_ready
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return False
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ApiError(0, "Malformed", "The gateway's Deployment can't be read") from None


def _found_in(target: Target, releases: _Releases, own: list[str]) -> str:
    """The namespace of the release that the plan is about, "" for none.

    One that we left elsewhere goes first: the tenant has moved, and two releases would claim the same IngressClass.
    """
    known = [
        place for place in releases if place in (target.last_namespace, *own) and place != target.release_namespace
    ]
    elsewhere = [place for place in known if releases[place] and not is_foreign(releases[place])]
    return next((place for place in (*elsewhere, target.release_namespace) if releases.get(place)), "")


def _home(target: Target, where: str, own: list[str]) -> str:
    """The namespace that the plan is about."""
    if not target.is_going:
        return target.release_namespace
    return next((one for one in (where, *own, target.release_namespace, target.last_namespace) if one), "")


class _Generation(msgspec.Struct):
    generation: int = 0


class _Availability(msgspec.Struct, frozen=True, rename="camel"):
    observed_generation: int = 0
    available_replicas: int = 0


class _Deployment(msgspec.Struct):
    metadata: _Generation
    status: _Availability = _Availability()

    @property
    def is_ready(self) -> bool:
        """A pod is available, and the numbers are about the spec that is there."""
        return self.status.available_replicas >= 1 and self.status.observed_generation >= self.metadata.generation


_decode_deployment = any_depth(msgspec.json.Decoder(_Deployment).decode)
