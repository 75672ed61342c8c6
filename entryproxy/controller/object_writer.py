"""Objects applied and deleted one by one; whatever isn't ours by now is left alone.

Between a plan and its actions others go on working: each object is looked at right before, and the write says which one
it means, by its uid.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from entryproxy.controller.own_objects import FIELD_MANAGER
from entryproxy.controller.present import is_of_release, is_of_tenant, read_metadata
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import NOT_FOUND, ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.paths import Paths, collection_path
from entryproxy.provision.actions import reference_of
from entryproxy.provision.state import Reference

ESTABLISHED_SECONDS_MAX = 30.0
"""How long a new CustomResourceDefinition may take; until then the cluster knows no such kind."""
_POLL_SECONDS = 0.2
_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _Names(msgspec.Struct):
    kind: str


class _Version(msgspec.Struct):
    name: str
    served: bool


class _Spec(msgspec.Struct):
    group: str
    names: _Names
    versions: list[_Version]


class _Definition(msgspec.Struct):
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def is_established(self) -> bool:
        conditions = self.status.conditions or []
        return any((one.type, one.status) == ("Established", "True") for one in conditions)


_decode_definition = any_depth(msgspec.json.Decoder(_Definition).decode)


class ObjectWriter:
    """All of it raises ApiError; of reason "NotOurs" for what somebody else has made."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._paths = Paths(client)

    async def apply(self, manifest: dict[str, Any], tenant: str) -> None:
        """Server-side apply of an object of this tenant, fields that others have changed included."""
        reference = reference_of(manifest)
        path = await self._paths.object(reference)
        there = await read_metadata(self._client, path)
        if there is None:
            # Without force: whoever makes one in this moment, with other contents, keeps it.
            await self._client.apply(path, msgspec.json.encode(manifest), FIELD_MANAGER)
            return
        if not is_of_tenant(there, tenant):
            raise _not_ours(reference)
        if there.deletion_timestamp is not None:
            raise ApiError(409, "BeingDeleted", f"{reference} is being deleted")
        body = {**manifest, "metadata": {**manifest["metadata"], "uid": there.uid}}
        await self._client.apply(path, msgspec.json.encode(body), FIELD_MANAGER, {"force": "true"})

    async def delete(self, reference: Reference, tenant: str, release_name: str = "") -> None:
        """An object of this tenant, or of its release if that has a name; what it owns goes after it. One that is gone,
        or going, is fine, and so is a kind that is gone."""
        try:
            path = await self._paths.object(reference)
            there = await read_metadata(self._client, path)
            if there is None:
                return
            if not is_of_tenant(there, tenant) and not (release_name and is_of_release(there, release_name)):
                raise _not_ours(reference)
            if there.deletion_timestamp is None:
                options = {"propagationPolicy": "Background", "preconditions": {"uid": there.uid}}
                await self._client.delete(path, body=msgspec.json.encode(options))
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise

    async def define(self, manifest: dict[str, Any]) -> None:
        """Make a CustomResourceDefinition where there is none, and wait until the cluster knows it."""
        path, reference = collection_path(*_DEFINITION), reference_of(manifest)
        try:
            await self._client.create(path, msgspec.json.encode(manifest), {"fieldManager": FIELD_MANAGER})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        try:
            async with asyncio.timeout(ESTABLISHED_SECONDS_MAX):
                await self._until_established(reference)
        except TimeoutError:
            message = f"it is not established after {ESTABLISHED_SECONDS_MAX:g} s"
            raise ApiError(409, "NotEstablished", message) from None

    async def _until_established(self, reference: Reference) -> None:
        """What is there counts, which may be of another version than ours."""
        path = await self._paths.object(reference)
        while True:
            if await self._is_known(path, reference):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _is_known(self, path: str, reference: Reference) -> bool:
        try:
            there = _decode_definition(await self._client.get(path))
        except msgspec.DecodeError:
            raise ApiError(0, "Malformed", f"{reference} can't be read") from None
        if not there.is_established:
            return False
        # Helm asks discovery, which comes a little later.
        spec = there.spec
        served = [f"{spec.group}/{version.name}" for version in spec.versions if version.served]
        return all([await self._paths.is_served(version, spec.names.kind) for version in served])


def _not_ours(reference: Reference) -> ApiError:
    return ApiError(409, "NotOurs", f"{reference} was made by somebody else")
