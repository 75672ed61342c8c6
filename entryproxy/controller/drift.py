"""Whether an object still is as it was applied: asked of the API server, by an apply that is only tried.

Nothing else knows. A comparison of our own would have to know every default that the server fills in, and every way to
write the same quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from entryproxy.controller.metadata import get_or_none
from entryproxy.controller.replicas import without_foreign_replicas
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import TOO_MANY_REQUESTS, UNAUTHORIZED, ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.paths import Paths
from entryproxy.provision.actions import reference_of

LIVE_CONFIG = "higress-config"
_VOLATILE = frozenset(("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"))
_OBJECT_BYTES_MAX = 8_388_608

Manifest = dict[str, Any]
_decode = any_depth(msgspec.json.Decoder(dict[str, Any]).decode)


class Drift:
    """Compares objects with manifests, and applies manifests as their field manager would."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self.paths = Paths(client)

    async def verified(self, manifest: Manifest, manager: str) -> str | None:
        """The resourceVersion at which the object is as the manifest says; None when it isn't, or isn't there.

        A manifest that is refused counts as changed: whoever applies it then hears why. Raises ApiError.
        """
        path = await self.paths.object(reference_of(manifest))
        live = await self._read(path)
        if live is None:
            return None
        body = msgspec.json.encode(adapted(manifest, live, manager))
        try:
            answer = await self._client.apply(path, body, manager, {"force": "true", "dryRun": "All"})
        except ApiError as error:
            if 400 <= error.status < 500 and error.status not in (UNAUTHORIZED, TOO_MANY_REQUESTS):
                return None
            raise
        return live["metadata"]["resourceVersion"] if is_same(live, _object(answer)) else None

    async def apply(self, manifest: Manifest, manager: str) -> None:
        """Make it so, fields that others have changed included. Raises ApiError."""
        path = await self.paths.object(reference_of(manifest))
        if (live := await self._read(path)) is not None:
            manifest = adapted(manifest, live, manager)
        await self._client.apply(path, msgspec.json.encode(manifest), manager, {"force": "true"})

    async def _read(self, path: str) -> Manifest | None:
        body = await get_or_none(self._client, path, _OBJECT_BYTES_MAX)
        return _object(body) if body is not None else None


def _object(body: bytes) -> Manifest:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's object can't be read") from None


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two states of an object differ in nothing but what the cluster itself keeps count of."""
    return _lasting(one) == _lasting(other)


def _lasting(state: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in state["metadata"].items() if key not in _VOLATILE}
    return {**{key: value for key, value in state.items() if key != "status"}, "metadata": metadata}


def adapted(manifest: Manifest, live: Mapping[str, Any], manager: str) -> Manifest:
    """The manifest without what is decided by the object that is there: the number of replicas, if somebody scales it,
    and Higress's own configuration, which the chart takes from there as well (`lookup`)."""
    if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == LIVE_CONFIG:
        return {**manifest, "data": live.get("data") or {}}
    return without_foreign_replicas(manifest, live, manager)
