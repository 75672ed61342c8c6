"""A release's objects between two revisions: which were deleted or changed, and how to put that right without Helm.

The manifest of the deployed revision is read out of Helm's own Secret when there is something to compare, and let go of
again: what stays is a name and a version for each object.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from entryproxy.controller.drift import Drift
from entryproxy.controller.helm.command import DESCRIPTION, HELM_ROLLBACK
from entryproxy.controller.metadata import list_named, together
from entryproxy.controller.payload import (
    HELM,
    HELM_FIELD_MANAGER,
    SECRET_BYTES_MAX,
    Manifest,
    ParseDocuments,
    Payload,
    PayloadError,
    as_helm_applies,
    objects_of,
    unpack,
)
from entryproxy.controller.releases import ReleaseName
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import NOT_FOUND, ApiError
from entryproxy.kubernetes.paths import object_path
from entryproxy.provision.actions import reference_of
from entryproxy.provision.objects import MANAGED_BY_LABEL
from entryproxy.provision.state import Reference, Revision

HELM_SELECTOR = f"{MANAGED_BY_LABEL}={HELM}"

_log = logging.getLogger(__name__)
_Manifests = dict[Reference, Manifest]


class _Known(msgspec.Struct):
    """A revision's objects. versions: at which each was last seen to be as the revision says."""

    revision: int
    created: float
    references: tuple[Reference, ...] = ()
    versions: dict[Reference, str] = {}


class Manifests:
    """The deployed manifests of every release that is looked at. parse_documents: strict YAML."""

    def __init__(self, client: ClusterClient, parse_documents: ParseDocuments) -> None:
        self._client = client
        self._parse_documents = parse_documents
        self._drift = Drift(client)
        self._known: dict[ReleaseName, _Known] = {}
        self._made: dict[ReleaseName, tuple[int, float, bool]] = {}

    async def missing(self, release: str, namespace: str, revision: Revision) -> tuple[Reference, ...]:
        """Objects of a deployed revision that aren't there or differ, in the manifest's order.

        Asks for versions only, and for more where one is new. Nothing is missing of a revision that can't be read: Helm
        can't read it either. Raises ApiError.
        """
        name, identity = (namespace, release), (revision.number, revision.created)
        known, manifests = self._known.get(name), None
        try:
            if known is None or (known.revision, known.created) != identity:
                manifests = await self._load(release, namespace, revision.number)
                known = self._known[name] = _Known(*identity, tuple(manifests))
            versions = await self._versions(known.references)
            known.versions = {each: known.versions[each] for each in known.versions if each in versions}
            new = [each for each in versions if known.versions.get(each) != versions[each]]
            if new and manifests is None:
                manifests = await self._load(release, namespace, revision.number)
        except PayloadError as problem:
            _log.warning("revision %d of release %s/%s: %s", revision.number, namespace, release, problem)
            self._known[name] = _Known(*identity)
            return ()
        if manifests is not None:
            await self._verify(known, new, manifests)
        return tuple(each for each in known.references if each not in known.versions)

    async def is_by_hand(self, release: str, namespace: str, revision: Revision) -> bool:
        """Whether somebody made it with Helm itself: our digest is handed on from revision to revision, and so stands
        on what has other values, and none of its rights narrowed. A roll-back brings back what was ours. Raises
        ApiError."""
        name, identity = (namespace, release), (revision.number, revision.created)
        known = self._made.get(name)
        if known is None or known[:2] != identity:
            try:
                description = (await self._read(release, namespace, revision.number)).description
            except PayloadError:  # which `missing` tells of
                return False
            is_ours = description.startswith((DESCRIPTION, HELM_ROLLBACK))
            known = self._made[name] = (*identity, not is_ours)
        return known[2]

    async def repair(self, release: str, namespace: str, revision: int, references: Iterable[Reference]) -> None:
        """Apply these objects again as the revision has them, as Helm would. Every one is tried; raises the first
        ApiError."""
        try:
            manifests = await self._load(release, namespace, revision)
        except PayloadError as problem:
            raise ApiError(0, "Malformed", f"Revision {revision} of release {release}: {problem}") from None
        wanted = frozenset(references)
        first: ApiError | None = None
        for reference, manifest in manifests.items():  # what others refer to comes first there
            try:
                if reference in wanted:
                    await self._drift.apply(manifest, HELM_FIELD_MANAGER)
            except ApiError as error:
                first = first or error
        if first is not None:
            raise first

    def forget(self, release: str) -> None:
        """No release of this name is looked at any more."""
        for known in (self._known, self._made):
            for name in [each for each in known if each[1] == release]:
                del known[name]

    async def _load(self, release: str, namespace: str, revision: int) -> _Manifests:
        """Complete objects by reference, without those of a kind that the cluster hasn't got any more. Raises
        PayloadError, ApiError."""
        payload = await self._read(release, namespace, revision)
        objects = objects_of(payload.manifest, self._parse_documents)
        found: _Manifests = {}
        for each in objects:
            try:
                resource = await self._drift.paths.resource(each["apiVersion"], each["kind"])
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise
                continue
            complete = as_helm_applies(each, release, namespace, is_namespaced=resource.is_namespaced)
            found[reference_of(complete)] = complete
        return found

    async def _read(self, release: str, namespace: str, revision: int) -> Payload:
        """Raises PayloadError, ApiError."""
        path = object_path("v1", "Secret", namespace, f"sh.helm.release.v1.{release}.v{revision}")
        return unpack(await self._client.get(path, bytes_max=SECRET_BYTES_MAX), release, namespace, revision)

    async def _versions(self, references: tuple[Reference, ...]) -> dict[Reference, str]:
        """The resourceVersion of those that are there. One whose marks were taken away counts as gone: it is not
        Helm's any more until it is applied again."""
        groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for each in references:
            groups[each.group_version, each.kind, each.namespace].append(each.name)
        found = await together(*(self._versions_of(*group, names) for group, names in groups.items()))
        versions = {reference: version for some in found for reference, version in some}
        return {each: versions[each] for each in references if each in versions}

    async def _versions_of(
        self, group_version: str, kind: str, namespace: str, names: list[str]
    ) -> list[tuple[Reference, str]]:
        path = await self._drift.paths.collection(group_version, kind, namespace)
        found = await list_named(self._client, path, names, labels=HELM_SELECTOR)
        return [(Reference(group_version, kind, namespace, one.name), one.resource_version) for one in found]

    async def _verify(self, known: _Known, new: list[Reference], manifests: _Manifests) -> None:
        results = await together(*(self._drift.verified(manifests[each], HELM_FIELD_MANAGER) for each in new))
        for each, version in zip(new, results, strict=True):
            if version is None:
                known.versions.pop(each, None)
            else:
                known.versions[each] = version
