"""Objects without their contents: what a look at a tenant asks for first, and most of the time all that it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import aclosing
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
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class _Item(msgspec.Struct):
    metadata: Metadata


class _ListMeta(msgspec.Struct):
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
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


async def list_metadata(
    client: ClusterClient,
    path: str,
    *,
    labels: str = "",
    name: str = "",
    keep: Callable[[Metadata], bool] = lambda _: True,
) -> list[Metadata]:
    """The objects of a collection by a label selector, or the one of a name. A kind that the cluster hasn't got has no
    objects. Raises ApiError.

    keep: which of them, where anybody may have made many more: the others are let go of page by page.
    """
    found: list[Metadata] = []
    try:
        async for page in client.list(path, _selectors(labels, name), metadata_only=True):
            found += [item.metadata for item in _parse(page).items or () if keep(item.metadata)]
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
    return found


async def list_named(client: ClusterClient, path: str, names: Collection[str], *, labels: str = "") -> list[Metadata]:
    """Those of these names. Raises ApiError.

    One request where there is nothing else, at most one more for each name where there is: how many objects somebody
    has put beside them costs nothing.
    """
    found, is_all = await _first_page(client, path, len(names), labels) if len(names) > 1 else ([], False)
    known = {one.name: one for one in found if one.name in names}
    if not is_all:
        missing = [name for name in names if name not in known]
        alone = await together(*(list_metadata(client, path, labels=labels, name=name) for name in missing))
        known |= {one.name: one for some in alone for one in some}
    return list(known.values())


async def _first_page(client: ClusterClient, path: str, limit: int, labels: str) -> tuple[list[Metadata], bool]:
    """At most so many objects, and whether these are all."""
    query = {"limit": str(limit), **_selectors(labels=labels)}
    try:
        async with aclosing(client.list(path, query, metadata_only=True)) as pages:
            page = _parse(await anext(pages))
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return [], True
    return [item.metadata for item in page.items or ()], not page.metadata.continue_


def _selectors(labels: str = "", name: str = "") -> dict[str, str]:
    selectors = {"labelSelector": labels, "fieldSelector": f"metadata.name={name}" if name else ""}
    return {key: value for key, value in selectors.items() if value}


def _parse(page: bytes) -> _List:
    try:
        return _decode(page)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's list can't be read") from None


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """The results in order, all of it done at the same time. When some fails, the rest ends first: nothing goes on
    behind the caller's back."""
    results: list[T] = []
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
