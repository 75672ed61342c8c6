"""An object as it stands just before we write to it: whose it is, and which one of its name."""

from __future__ import annotations

import msgspec

from entryproxy.controller.metadata import Metadata, get_or_none
from entryproxy.controller.payload import HELM, RELEASE_NAME_ANNOTATION
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.provision.objects import MANAGED_BY_LABEL, OWNER_LABEL


class _Object(msgspec.Struct):
    metadata: Metadata


_decode = any_depth(msgspec.json.Decoder(_Object).decode)


async def read_metadata(client: ClusterClient, path: str) -> Metadata | None:
    """None if there is no such object. Raises ApiError."""
    body = await get_or_none(client, path)
    return parse_metadata(body) if body is not None else None


def parse_metadata(body: bytes) -> Metadata:
    """Of an object as the API server gives it. Raises ApiError."""
    try:
        return _decode(body).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's object can't be read") from None


def is_of_tenant(there: Metadata, tenant: str) -> bool:
    """Whether we made it for this tenant."""
    return (there.labels.get(MANAGED_BY_LABEL), there.labels.get(OWNER_LABEL)) == ("entryproxy", tenant)


def is_of_release(there: Metadata, name: str) -> bool:
    """Whether Helm made it for a release of this name."""
    return (there.labels.get(MANAGED_BY_LABEL), there.annotations.get(RELEASE_NAME_ANNOTATION)) == (HELM, name)
