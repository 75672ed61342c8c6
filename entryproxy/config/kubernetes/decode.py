"""Raw JSON of lists and watch events → what became of each object.

Every object is decoded on its own, so that one that can't be read is a finding and all others are objects.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from entryproxy.config.kubernetes.kinds import Kind, UnreadableError
from entryproxy.kubernetes.errors import ApiError, read_status
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.model.finding import Finding
from entryproxy.model.objects import TENANT_LABEL, LabelledObject

DELETED: Final = "DELETED"
BOOKMARK: Final = "BOOKMARK"
ERROR: Final = "ERROR"
_AT = re.compile(r"(?P<message>.*) - at `\$\.?(?P<path>[^`]*)`", re.DOTALL)


class Decoded(msgspec.Struct, frozen=True):
    """What became of one object. reference: "Kind namespace/name", "" when not even that can be told.

    object: None when it is not ours (any more), or when `problem` says why it can't be read. uid: of one that can't be
    read, "" when it can't be told.
    """

    reference: str
    object: LabelledObject | None = None
    problem: Finding | None = None
    uid: str = ""


class Page(msgspec.Struct, frozen=True):
    """A page of a list. version: from where to watch; token: of the next page, "" on the last one."""

    items: list[Decoded]
    version: str
    token: str


class Event(msgspec.Struct, frozen=True):
    """decoded: None for a bookmark. version: from where to resume, "" when it can't be told."""

    decoded: Decoded | None
    version: str


class _ListMeta(msgspec.Struct):
    resourceVersion: str  # noqa: N815 - the API's field
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Name(msgspec.Struct):
    name: str
    namespace: str = ""


class _Named(msgspec.Struct):
    metadata: _Name


class _Labels(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct):
    metadata: _Labels


class _Identity(msgspec.Struct):
    uid: str = ""


class _Identified(msgspec.Struct):
    metadata: _Identity


class _Version(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815


class _Versioned(msgspec.Struct):
    metadata: _Version


_decode_document = any_depth(msgspec.json.Decoder(dict[str, Any]).decode)
_decode_list = any_depth(msgspec.json.Decoder(_List).decode)
_decode_event = any_depth(msgspec.json.Decoder(_Event).decode)
_decode_named = any_depth(msgspec.json.Decoder(_Named).decode)
_decode_labelled = any_depth(msgspec.json.Decoder(_Labelled).decode)
_decode_identified = any_depth(msgspec.json.Decoder(_Identified).decode)
_decode_versioned = any_depth(msgspec.json.Decoder(_Versioned).decode)


def decode_document(body: bytes) -> dict[str, Any]:
    """One object, or a page of a list, as it is; raises ApiError when it is none."""
    try:
        return _decode_document(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's answer can't be read") from None


def decode_page(kind: Kind, body: bytes) -> Page:
    """A page of a list; raises ApiError when it is none."""
    try:
        page = _decode_list(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's list can't be read") from None
    items = [decode_object(kind, raw) for raw in page.items or ()]
    return Page(items, page.metadata.resourceVersion, page.metadata.continue_)


def decode_event(kind: Kind, line: bytes) -> Event:
    """One line of a watch; raises ApiError for an ERROR event, with what its Status says, and for torn JSON."""
    try:
        event = _decode_event(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's event can't be read") from None
    if event.type == ERROR:
        raise read_status(event.object)
    if event.type == BOOKMARK:
        return Event(None, _version(event.object))
    if event.type == DELETED:  # only who it was counts, not what it said last
        return Event(Decoded(_reference(kind, event.object)), _version(event.object))
    decoded = decode_object(kind, event.object)
    return Event(decoded, decoded.object.version if decoded.object is not None else _version(event.object))


def decode_object(kind: Kind, raw: bytes | msgspec.Raw) -> Decoded:
    """One object, whatever it is like."""
    try:
        labelled = kind.read(raw)
    except (UnreadableError, msgspec.DecodeError, UnicodeDecodeError) as problem:
        return _explain(kind, raw, problem)
    if labelled is None:
        return Decoded(_reference(kind, raw))
    return Decoded(labelled.reference, labelled)


def _explain(kind: Kind, raw: bytes | msgspec.Raw, problem: Exception) -> Decoded:
    reference = _reference(kind, raw)
    field, message = "", "Not valid UTF-8"
    if isinstance(problem, UnreadableError):
        field, message = problem.field, problem.message
    elif isinstance(problem, msgspec.DecodeError):
        message = str(problem)
        if at := _AT.fullmatch(message):
            message, field = at["message"], at["path"]
    finding = Finding(
        severity="error",
        reason="InvalidObject",
        object=reference or f"{kind.name} ?/?",
        field=field,
        message=f"{message}; what was good before, if anything, stays in force",
        tenant=_tenant(raw),
    )
    return Decoded(reference, problem=finding, uid=_uid(raw))


def _reference(kind: Kind, raw: bytes | msgspec.Raw) -> str:
    try:
        metadata = _decode_named(raw).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f"{kind.name} {metadata.namespace}/{metadata.name}"


def _tenant(raw: bytes | msgspec.Raw) -> str:
    try:
        return (_decode_labelled(raw).metadata.labels or {}).get(TENANT_LABEL, "")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _uid(raw: bytes | msgspec.Raw) -> str:
    try:
        return _decode_identified(raw).metadata.uid
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _version(raw: msgspec.Raw) -> str:
    try:
        return _decode_versioned(raw).metadata.resourceVersion
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
