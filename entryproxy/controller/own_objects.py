"""The objects around a release that we apply ourselves: which are there, whose they are, whether they were changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from entryproxy.controller.drift import Drift
from entryproxy.controller.metadata import Metadata, list_metadata, together
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.paths import collection_path
from entryproxy.provision.actions import reference_of
from entryproxy.provision.digests import DIGEST_ANNOTATION, manifest_digest
from entryproxy.provision.objects import MANAGED_BY_LABEL, OWNER_LABEL, SOURCE_ANNOTATION
from entryproxy.provision.state import ObjectState, Reference

FIELD_MANAGER = "entryproxy-controller"
NAMESPACE = ("v1", "Namespace")
KINDS = (
    NAMESPACE,
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
)
"""What `provision.objects` makes."""

_Found = dict[Reference, Metadata]
_Verified = dict[Reference, tuple[str, str]]


class OwnObjects:
    """Looks at the objects of one tenant after another, and remembers at which resourceVersion each was as the manifest
    of which digest says: such a one isn't asked about again. entry_namespace: of the tenants' ConfigMaps."""

    def __init__(self, client: ClusterClient, entry_namespace: str) -> None:
        self._client = client
        self._entry_namespace = entry_namespace
        self._drift = Drift(client)
        self._verified: dict[str, _Verified] = {}

    async def look(
        self, tenant: str, wanted: Iterable[dict[str, Any]], others: Iterable[Reference] = ()
    ) -> dict[Reference, ObjectState]:
        """Everything with our marks for the tenant, wherever it is, and what has the name of a wanted object, or is one
        of the others, with or without them. Raises ApiError."""
        manifests = {reference_of(manifest): manifest for manifest in wanted}
        selector = f"{MANAGED_BY_LABEL}=entryproxy,{OWNER_LABEL}={tenant}"
        ours: _Found = {}
        for some in await together(*(self._list(*kind, labels=selector) for kind in KINDS)):
            ours |= {each: one for each, one in some.items() if self._is_of_entry(one)}
        names = {each for each in (*manifests, *others) if each not in ours}
        foreign: _Found = {}
        for some in await together(*(self._named(reference) for reference in sorted(names))):
            foreign |= some
        changed = await self._changed(tenant, ours, manifests)
        states = [_state(each, one, is_ours=True, is_changed=each in changed) for each, one in ours.items()]
        states += [_state(each, one, is_ours=False) for each, one in foreign.items()]
        return {state.reference: state for state in states}

    def forget(self, tenant: str) -> None:
        """Nothing of the tenant is wanted any more."""
        self._verified.pop(tenant, None)

    async def _changed(self, tenant: str, ours: _Found, manifests: dict[Reference, dict[str, Any]]) -> set[Reference]:
        """Those in which somebody else changed what we set. One of an older digest is applied in any case, and so is
        not asked about."""
        known = self._verified.get(tenant, {})
        digests = {each: manifest_digest(manifest) for each, manifest in manifests.items()}
        current = [
            each
            for each, digest in digests.items()
            if each in ours and ours[each].annotations.get(DIGEST_ANNOTATION) == digest
        ]
        stamps = {each: (ours[each].resource_version, digests[each]) for each in current}
        new = [each for each in current if known.get(each) != stamps[each]]
        versions = await together(*(self._drift.verified(manifests[each], FIELD_MANAGER) for each in new))
        verified = {each: stamp for each, stamp in stamps.items() if known.get(each) == stamp}
        verified |= {each: (one, digests[each]) for each, one in zip(new, versions, strict=True) if one is not None}
        self._verified[tenant] = verified
        return {each for each in current if each not in verified}

    def _is_of_entry(self, one: Metadata) -> bool:
        """Another entry of the cluster may have a tenant of the same id, whose things are not ours to delete."""
        source = one.annotations.get(SOURCE_ANNOTATION)
        return source is None or source.partition("/")[0] == self._entry_namespace

    async def _named(self, reference: Reference) -> _Found:
        return await self._list(reference.group_version, reference.kind, reference.namespace, name=reference.name)

    async def _list(
        self, group_version: str, kind: str, namespace: str = "", *, labels: str = "", name: str = ""
    ) -> _Found:
        path = collection_path(group_version, kind, namespace)
        found = await list_metadata(self._client, path, labels=labels, name=name)
        return {Reference(group_version, kind, one.namespace, one.name): one for one in found}


def _state(reference: Reference, metadata: Metadata, *, is_ours: bool, is_changed: bool = False) -> ObjectState:
    return ObjectState(
        reference=reference,
        is_ours=is_ours,
        digest=metadata.annotations.get(DIGEST_ANNOTATION, "") if is_ours else "",
        is_changed=is_changed,
        is_deleting=metadata.deletion_timestamp is not None,
    )
