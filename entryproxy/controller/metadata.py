"""Objects without their contents: what a look at a tenant asks for first, and most of the time all that it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import NOT_FOUND, ApiError
from entryproxy.kubernetes.nesting import any_depth

T = TypeVar("T")


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """An object's metadata, as far as it counts here. namespace: "" for objects of the whole cluster."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    deletion_timestamp: datetime | None = None


class _Item(msgspec.Struct):
    metadata: Metadata


class _List(msgspec.Struct):
    items: list[_Item] | None = None


_decode = any_depth(msgspec.json.Decoder(_List).decode)


async def get_or_none(client: ClusterClient, path: str, bytes_max: int | None = None) -> bytes | None:
    """An object, None if there is none. bytes_max: as in `ClusterClient.get`. Raises ApiError."""
    try:
        return await client.get(path, bytes_max=bytes_max)
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return None


async def list_metadata(client: ClusterClient, path: str, *, labels: str = "", name: str = "") -> list[Metadata]:
    """The objects of a collection by a label selector, or the one of a name. A kind that the cluster hasn't got has no
    objects. Raises ApiError."""
    selectors = {"labelSelector": labels, "fieldSelector": f"metadata.name={name}" if name else ""}
    query = {key: value for key, value in selectors.items() if value}
    found: list[Metadata] = []
    try:
        async for page in client.list(path, query, metadata_only=True):
            found += [item.metadata for item in _decode(page).items or []]
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's list can't be read") from None
    return found


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """The results in order, all of it done at the same time. When some fails, the rest ends first: nothing goes on
    behind the caller's back."""
    results: list[T] = []
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
