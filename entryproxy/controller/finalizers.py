"""What keeps a tenant's ConfigMap, and how it is found again: our finalizer and PROVISIONED_LABEL, both or neither.

Two tenants may meet at one ConfigMap when it changes hands, and people edit it at any time. So every write says which
version it was decided on, and is decided anew when that isn't the last one any more.
"""

from __future__ import annotations

from typing import Any

import msgspec

from entryproxy.controller.holders import Holder
from entryproxy.controller.metadata import Metadata
from entryproxy.controller.own_objects import FIELD_MANAGER
from entryproxy.controller.present import parse_metadata
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.conflicts import retry_on_conflict
from entryproxy.kubernetes.errors import NOT_FOUND, ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.paths import object_path
from entryproxy.model.objects import CONFIG_MAP, FINALIZER, PROVISIONED_LABEL, STATUS_ANNOTATION

_decode = any_depth(msgspec.json.Decoder(dict[str, Any]).decode)


async def ensure_finalizer(client: ClusterClient, source: str, uid: str, tenant: str) -> None:
    """Put both on the ConfigMap `source` ("namespace/name").

    Raises ApiError, of status 404 or 409 when it is gone, another one by now, being deleted, or still held for another
    tenant; none is ever made.
    """
    path = _path(*source.split("/", 1))

    async def write() -> None:
        there = parse_metadata(await client.get(path))
        _check(there, source, uid, tenant)
        if FINALIZER not in there.finalizers or there.labels.get(PROVISIONED_LABEL, "") != tenant:
            await client.apply(path, _held(source, there, tenant), FIELD_MANAGER, {"force": "true"})

    await retry_on_conflict(write)


async def drop_finalizer(client: ClusterClient, holder: Holder) -> None:
    """Take both away, whoever put them there, and the status with them; all else stays as it is.

    One that is gone, another one by now, or held for another tenant, is no error. Raises ApiError.
    """
    path = _path(holder.namespace, holder.name)

    async def write() -> None:
        body = await client.get(path)
        there = parse_metadata(body)
        is_held = FINALIZER in there.finalizers or PROVISIONED_LABEL in there.labels
        if there.uid == holder.uid and is_held and there.labels.get(PROVISIONED_LABEL, "") in ("", holder.tenant):
            await client.replace(path, _released(body), {"fieldManager": FIELD_MANAGER})

    try:
        await retry_on_conflict(write)
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise


def _check(there: Metadata, source: str, uid: str, tenant: str) -> None:
    holding = there.labels.get(PROVISIONED_LABEL, "")
    if there.uid != uid:
        raise ApiError(409, "Replaced", f"ConfigMap {source} is another one by now")
    if there.deletion_timestamp is not None:
        raise ApiError(409, "BeingDeleted", f"ConfigMap {source} is being deleted")
    if FINALIZER in there.finalizers and holding not in ("", tenant):
        raise ApiError(409, "HeldForAnother", f"ConfigMap {source} is held until tenant {holding} is taken away")


def _held(source: str, there: Metadata, tenant: str) -> bytes:
    namespace, name = source.split("/", 1)
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": there.uid,
        "resourceVersion": there.resource_version,
        "labels": {PROVISIONED_LABEL: tenant},
        "finalizers": [FINALIZER],
    }
    return msgspec.json.encode({"apiVersion": "v1", "kind": CONFIG_MAP, "metadata": metadata})


def _released(body: bytes) -> bytes:
    """The whole object without what is ours. Server-side apply would leave what others apply as well, for instance from
    a copy that an operator took; without its managed fields the server keeps those that it has."""
    document = _decode(body)
    metadata = document["metadata"]
    metadata.pop("managedFields", None)
    metadata["finalizers"] = [one for one in metadata.get("finalizers") or () if one != FINALIZER]
    for field, key in (("labels", PROVISIONED_LABEL), ("annotations", STATUS_ANNOTATION)):
        metadata[field] = {name: text for name, text in (metadata.get(field) or {}).items() if name != key}
    return msgspec.json.encode(document)


def _path(namespace: str, name: str) -> str:
    return object_path("v1", CONFIG_MAP, namespace, name)
