"""The law of the differential tests, in one place: what two readers may and may not say about the same bytes.

We refuse more than h11 and llhttp do; that is deliberate, and needs no list: a refused message ends its connection, so
no one behind us sees it. The deliberate refusals are the tables of test_request.py, test_response.py and
test_chunked.py.

What we accept, they must read with the same end, the same body and the same first line, or refuse. Refusals of theirs
are explained one by one in `_EXPLAINED`; any other is a find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from entryproxy.http1.chunked import encode_chunk, last_chunk
from tests.http1 import readers
from tests.http1.messages import FOLLOWER
from tests.http1.readers import Message, OurMessage, Reader, Refused, Unfinished, Verdict

REQUEST_READERS: dict[str, Reader] = {
    "h11": readers.read_request_with_h11,
    "llhttp": readers.read_request_with_llhttp,
}
RESPONSE_READERS: dict[str, Reader] = {
    "h11": readers.read_response_with_h11,
    "llhttp": readers.read_response_with_llhttp,
}

_LLHTTP_METHODS = frozenset(
    b"""
    ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS
    PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE
    """.split()
)
_FRAMING_IN_TRAILERS = re.compile(
    rb"\r\n0+(?:;[^\n]*)?\r\n(?:[^\r\n]+\r\n)*?(?:content-length|transfer-encoding):", re.IGNORECASE
).search
_HIGHER_MINOR = re.compile(rb"\A(?:\r\n)?[^\r\n]* HTTP/1\.[2-9]\r\n|\AHTTP/1\.[2-9] ").match


@dataclass(frozen=True)
class _Explained:
    """A message that we accept and they refuse, on purpose."""

    why: str
    reader: str
    detail: str
    holds: Callable[[bytes], object]


_EXPLAINED = [
    _Explained(
        "one empty line before a request is ignored (RFC 9112 §2.2)",
        "h11",
        "no request line received",
        lambda data: data.startswith(b"\r\n"),
    ),
    *[
        _Explained("framing fields in trailers are dropped (RFC 9110 §6.5.1)", reader, name, _FRAMING_IN_TRAILERS)
        for reader in ("h11", "llhttp")
        for name in ("Content-Length", "Transfer-Encoding")
    ],
    _Explained("a higher 1.x is served as 1.1 (RFC 9110 §2.5)", "llhttp", "Invalid HTTP version", _HIGHER_MINOR),
    *[
        _Explained(
            "unknown methods pass (RFC 9110 §16.1)",
            "llhttp",
            detail,
            lambda data: data.lstrip(b"\r\n").partition(b" ")[0] not in _LLHTTP_METHODS,
        )
        for detail in ("Invalid method", "Expected HTTP/2 Connection Preface", "Expected space after method")
    ],
]


def faults_of_request(data: bytes, cuts: list[int]) -> Iterator[str]:
    """Everything wrong with how we read `data` as a request and with what we would forward of it."""
    seen = OurMessage()
    ours = readers.read_request(data, seen=seen)
    if (again := readers.read_request(data, cuts)) != ours and not _both_refused(again, ours):
        yield f"cut at {cuts} it is {again}, whole it is {ours}"
    for name, read in REQUEST_READERS.items():
        if name == "llhttp" and _asks_to_upgrade_with_body(seen):
            continue
        yield from _disagreements(name, data, ours, read(data))
    if isinstance(ours, Message):
        yield from _faults_of_forwarded(seen)


def faults_of_response(data: bytes, cuts: list[int]) -> Iterator[str]:
    """Everything wrong with how we read `data` as the response to a GET."""
    ours = readers.read_response(data)
    if (again := readers.read_response(data, cuts)) != ours and not _both_refused(again, ours):
        yield f"cut at {cuts} it is {again}, whole it is {ours}"
    for name, read in RESPONSE_READERS.items():
        yield from _disagreements(name, data, ours, read(data))


def _asks_to_upgrade_with_body(seen: OurMessage) -> bool:
    """llhttp as bound by httptools reads no body when an upgrade is asked for; such a request is forwarded without
    Upgrade, which `_faults_of_forwarded` shows.
    """
    fields = seen.fields
    has_body = fields is not None and (fields.chunked or bool(fields.content_length))
    return fields is not None and has_body and b"upgrade" in fields.connection.lower()


def _both_refused(one: Verdict, other: Verdict) -> bool:
    return isinstance(one, Refused) and isinstance(other, Refused)


def _disagreements(name: str, data: bytes, ours: Verdict, theirs: Verdict) -> Iterator[str]:
    if isinstance(ours, Refused):
        return
    if isinstance(theirs, Refused):
        if isinstance(ours, Message) and not _is_explained(name, theirs.detail, data):
            yield f"{name} refuses what we accept: {theirs.detail}"
        return
    if isinstance(ours, Unfinished) or isinstance(theirs, Unfinished):
        if ours != theirs:
            yield f"{name} reads {theirs}, we read {ours}"
        return
    if (ours.start[0], ours.end, ours.body) != (theirs.start[0], theirs.end, theirs.body):
        yield f"{name} reads {theirs}, we read {ours}"


def _is_explained(name: str, detail: str, data: bytes) -> bool:
    return any(one.reader == name and one.detail in detail and one.holds(data) for one in _EXPLAINED)


def forwarded(seen: OurMessage) -> bytes:
    """The message as an entry sends it on: our request line, our Host, the lines that passed, our framing."""
    assert seen.line is not None
    assert seen.fields is not None
    line, fields = seen.line, seen.fields
    host = line.authority or fields.host or b"tenant.example"
    head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (line.method, line.target, host, fields.lines)
    if fields.upgrade is not None:
        head += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % fields.upgrade
    if fields.chunked:
        body = b"".join(encode_chunk(seen.body)) + last_chunk(seen.trailers)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + body
    if fields.content_length is not None:
        head += b"Content-Length: %d\r\n" % fields.content_length
    return head + b"\r\n" + seen.body


def _faults_of_forwarded(seen: OurMessage) -> Iterator[str]:
    """A gateway must see exactly the message that we saw, whoever parses it, and nothing after it."""
    assert seen.line is not None
    data = forwarded(seen)
    expected = Message((seen.line.method, seen.line.target, 1), len(data), seen.body)
    for name, read in {"we": readers.read_request, **REQUEST_READERS}.items():
        theirs = read(data + FOLLOWER)
        if isinstance(theirs, Refused) and _is_explained(name, theirs.detail, data):
            continue
        if theirs != expected:
            yield f"{name} read {theirs} in what we forward: {data!r}"
