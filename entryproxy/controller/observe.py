"""What there is of one tenant in the cluster: asked anew for each plan, by metadata wherever that is enough.

A tenant's release is looked for only where the tenant itself can be: in the namespace that is wanted now, in those that
carry our marks for it, and where its status says that it was. A Secret that calls itself its release anywhere else may
be anybody's, and what Helm would do to it is done with our rights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from time import time

import msgspec

from entryproxy.controller.holders import Holder
from entryproxy.controller.leftovers import find_leftovers
from entryproxy.controller.manifests import Manifests
from entryproxy.controller.metadata import list_metadata, together
from entryproxy.controller.own_objects import NAMESPACE, OwnObjects
from entryproxy.controller.releases import ReleaseName, list_releases
from entryproxy.controller.rollout import look_at_rollout
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.paths import collection_path
from entryproxy.model.status import Attempt
from entryproxy.provision.revisions import is_foreign
from entryproxy.provision.state import Desired, ObjectState, Observed, Reference, Revision, Rollout
from entryproxy.settings import ControllerSettings

DEFINED_SECONDS = 30.0
"""For so long a CustomResourceDefinition that was seen is taken to be there still."""
ROLLOUT_SECONDS = ControllerSettings().rollout_seconds
_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")

_Objects = dict[Reference, ObjectState]
_Revisions = tuple[Revision, ...]
_Releases = dict[str, _Revisions]
"""The revisions of a tenant's release by namespace."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant to look at. desired: None for one that isn't wanted, or can't be had as it is wanted. wanted_source:
    "namespace/name" of its ConfigMap in force, "" for none. last_namespace: where its status says that the release is
    or was, "" if it doesn't. gateway_name, controller_name: of the Deployments. is_removed, is_withdrawn: as in
    Observed."""

    tenant: str
    desired: Desired | None = None
    holders: tuple[Holder, ...] = ()
    wanted_source: str = ""
    last_namespace: str = ""
    attempt: Attempt = Attempt()
    gateway_name: str = ""
    controller_name: str = ""
    is_removed: bool = False
    is_withdrawn: bool = False

    @property
    def is_going(self) -> bool:
        """Whether something is to be taken away rather than kept."""
        return self.is_removed or (self.desired is None and not self.wanted_source)

    @property
    def has_finalizer(self) -> bool:
        """On the ConfigMap that the plan is about: the wanted one, or any that is being removed, of which one that only
        has our label, its finalizer gone by somebody's hand, would otherwise be found again for ever."""
        if self.is_removed or not self.wanted_source:
            return bool(self.holders)
        return any(holder.has_finalizer for holder in self.holders if holder.source == self.wanted_source)

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
    """Looks at one tenant after another. entry_namespace: whose tenants they are. shared_namespaces: where a release
    may be beside those that carry our marks, None for anywhere; a status is no proof.
    rollout_seconds: without progress, until a rollout has stalled. clock: Unix seconds."""

    def __init__(
        self,
        client: ClusterClient,
        manifests: Manifests,
        *,
        entry_namespace: str,
        shared_namespaces: Collection[str] | None = None,
        rollout_seconds: float = ROLLOUT_SECONDS,
        clock: Callable[[], float] = time,
    ) -> None:
        self._client = client
        self._manifests = manifests
        self._rollout_seconds = rollout_seconds
        self._clock = clock
        self._shared_namespaces = shared_namespaces
        self._own_objects = OwnObjects(client, entry_namespace)
        self._defined: dict[str, float] = {}  # by name, when it was seen

    async def observe(self, target: Target) -> Observed:
        """Everything that `plan` asks. Raises ApiError: half a look is none."""
        objects = await self._objects(target)
        own = [one.reference.name for one in objects.values() if one.is_ours and one.reference.kind == NAMESPACE[1]]
        if not self._is_trusted(target.last_namespace, objects):
            target = msgspec.structs.replace(target, last_namespace="")
        there = await self._releases(target, own)
        releases = {place: some.get((place, target.release_name), ()) for place, some in there.items()}
        where = _found_in(target, releases, own)
        revisions = await self._told_apart(target, where, releases[where] if where else ())
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
            rollout=await self._rollout(target, revisions[-1]) if _is_kept(target, where, revisions) else Rollout(),
            missing=await self._missing(target, where, revisions),
            leftovers=await self._leftovers(target, releases, own),
            inhabited=frozenset(place for place in own if any(map(is_foreign, there[place].values()))),
            definitions=await self._definitions(target),
        )

    def forget(self, tenant: str) -> None:
        """There is no such tenant any more."""
        self._own_objects.forget(tenant)
        self._manifests.forget(tenant)

    def _is_trusted(self, namespace: str, objects: _Objects) -> bool:
        """Whether only the controller writes releases there, so that one may be uninstalled, with hooks and all."""
        there = objects.get(Reference(*NAMESPACE, "", namespace))
        is_closed = there is None or there.is_ours
        return self._shared_namespaces is None or namespace in self._shared_namespaces or is_closed

    async def _objects(self, target: Target) -> _Objects:
        wanted = target.desired.objects if target.desired is not None else ()
        names = {target.release_namespace, target.last_namespace} - {""}
        return await self._own_objects.look(target.tenant, wanted, [Reference(*NAMESPACE, "", one) for one in names])

    async def _releases(self, target: Target, own: list[str]) -> Mapping[str, Mapping[ReleaseName, _Revisions]]:
        """All those in every namespace where the tenant's may be."""
        places = [target.release_namespace, target.last_namespace, *own]
        if target.is_going:  # nobody may know any more where it was; most likely in the usual one
            places.append(f"{target.tenant}-gateway")
        places = [one for one in dict.fromkeys(places) if one]
        found = await together(*(list_releases(self._client, place) for place in places))
        return dict(zip(places, found, strict=True))

    async def _told_apart(self, target: Target, where: str, revisions: tuple[Revision, ...]) -> tuple[Revision, ...]:
        """A deployed revision that somebody made by hand has no digest of ours, whatever its label says."""
        if target.is_going or not revisions or is_foreign(revisions):
            return revisions
        *older, highest = revisions
        if highest.status != "deployed" or not highest.digest:
            return revisions
        if not await self._manifests.is_by_hand(target.release_name, where, highest):
            return revisions
        return (*older, msgspec.structs.replace(highest, digest=""))

    async def _missing(self, target: Target, where: str, revisions: tuple[Revision, ...]) -> tuple[Reference, ...]:
        if target.desired is None or not _is_kept(target, where, revisions) or revisions[-1].status != "deployed":
            return ()
        return await self._manifests.missing(target.release_name, where, revisions[-1])

    async def _leftovers(self, target: Target, releases: _Releases, own: list[str]) -> tuple[Reference, ...]:
        if not target.is_going:
            return ()
        orphaned = [place for place, revisions in releases.items() if not revisions]
        return await find_leftovers(self._client, target.release_name, orphaned, own)

    async def _definitions(self, target: Target) -> frozenset[str]:
        """They are every tenant's: what was there a moment ago isn't asked for again for each of them."""
        wanted = target.desired.definitions if target.desired is not None and not target.is_going else ()
        names, now = {one["metadata"]["name"] for one in wanted}, self._clock()
        self._defined = {name: at for name, at in self._defined.items() if 0 <= now - at < DEFINED_SECONDS}
        known, path = names & self._defined.keys(), collection_path(*_DEFINITION)
        found = await together(*(list_metadata(self._client, path, name=name) for name in sorted(names - known)))
        seen = {one.name for some in found for one in some}
        self._defined |= dict.fromkeys(seen, now)
        return frozenset(known | seen)

    async def _rollout(self, target: Target, revision: Revision) -> Rollout:
        return await look_at_rollout(
            self._client,
            target.release_namespace,
            target.gateway_name,
            (target.controller_name,) if target.controller_name else (),
            now=self._clock(),
            since=revision.created,
            rollout_seconds=self._rollout_seconds,
        )


def _found_in(target: Target, releases: _Releases, own: list[str]) -> str:
    """The namespace of the release that the plan is about, "" for none.

    One that we left elsewhere goes first: the tenant has moved, and two releases would claim the same IngressClass.
    """
    known = [
        place for place in releases if place in (target.last_namespace, *own) and place != target.release_namespace
    ]
    elsewhere = [place for place in known if releases[place] and not is_foreign(releases[place])]
    is_home_known = not target.is_going or target.release_namespace in (target.last_namespace, *own)
    home = [target.release_namespace] if is_home_known else []  # of whoever comes after the one that goes
    return next((place for place in (*elsewhere, *home) if releases.get(place)), "")


def _is_kept(target: Target, where: str, revisions: tuple[Revision, ...]) -> bool:
    """Whether a release of ours is there, and is to stay there: a Deployment without it is somebody else's gateway."""
    is_ours = bool(revisions) and not is_foreign(revisions)
    return is_ours and not target.is_going and where == target.release_namespace


def _home(target: Target, where: str, own: list[str]) -> str:
    """The namespace that the plan is about."""
    if not target.is_going:
        return target.release_namespace
    return next((one for one in (where, *own, target.release_namespace, target.last_namespace) if one), "")
