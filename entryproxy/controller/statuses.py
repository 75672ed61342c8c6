"""A tenant's status, written where people and entries read it: an annotation of the tenant's ConfigMap."""

from __future__ import annotations

import msgspec

from entryproxy.controller.present import read_metadata
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.paths import object_path
from entryproxy.model.objects import CONFIG_MAP, STATUS_ANNOTATION
from entryproxy.model.status import TenantStatus, encode_status

FIELD_MANAGER = "entryproxy-status"
"""Another one than the finalizer's: what one of them no longer applies doesn't take away what the other has."""
_PRECONDITION = (404, 409, 422)
"""What a uid that isn't there, or is another one by now, is refused with; 422 can mean something else as well."""


async def write_status(
    client: ClusterClient,
    namespace: str,
    name: str,
    uid: str,
    status: TenantStatus,
    previous: TenantStatus | None = None,
) -> None:
    """Write it unless it is what stands there. previous: what the annotation says, None for nothing.

    A ConfigMap that is gone, or another one by now, is left alone. Raises ApiError.
    """
    if status != previous:
        await _apply(client, namespace, name, uid, {STATUS_ANNOTATION: encode_status(status)})


async def clear_status(client: ClusterClient, namespace: str, name: str, uid: str) -> None:
    """Take it away, where there is any. Raises ApiError."""
    await _apply(client, namespace, name, uid, {})


async def _apply(client: ClusterClient, namespace: str, name: str, uid: str, annotations: dict[str, str]) -> None:
    metadata = {"namespace": namespace, "name": name, "uid": uid, "annotations": annotations}
    body = msgspec.json.encode({"apiVersion": "v1", "kind": CONFIG_MAP, "metadata": metadata})
    path = object_path("v1", CONFIG_MAP, namespace, name)
    try:
        await client.apply(path, body, FIELD_MANAGER, {"force": "true"})
    except ApiError as error:
        if error.status not in _PRECONDITION:
            raise
        there = await read_metadata(client, path)
        if there is not None and there.uid == uid:
            raise
