"""The head of a gateway's response (RFC 9112 §4, §6.3; RFC 9110 §15)."""

from __future__ import annotations

import re
from collections.abc import Callable

from entryproxy.errors import EntryError, Source
from entryproxy.http1 import names
from entryproxy.http1.grammar import (
    BLANKS,
    connection_options,
    content_length_of,
    malformed,
    require_name,
    split_lines,
    without_fields,
)

# The blank before an empty reason phrase is required by the grammar and left out by many servers; nothing hangs on it.
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?").fullmatch


class ResponseHead:
    """A response's head; immutable once parsed.

    status: 100–599. minor: 0 or 1. content_length (octets), chunked: the framing as written; what HEAD, 1xx, 204 and
    304 make of it is the caller's business. connection_close: this connection ends after the response. upgrade: the
    protocol of a 101, else None. lines: the fields to pass on, "Name: value" CRLF each, in their order and case,
    without hop-by-hop fields and framing; lines_without_hsts: the same without Strict-Transport-Security.
    """

    __slots__ = (
        "chunked",
        "connection",
        "connection_close",
        "content_length",
        "has_date",
        "has_hsts",
        "lines",
        "lines_without_hsts",
        "minor",
        "reason",
        "status",
        "transfer_encoding",
        "upgrade",
        "websocket_accept",
    )

    def __init__(self, status: int, minor: int, reason: bytes) -> None:
        self.status = status
        self.minor = minor
        self.reason = reason
        self.content_length: int | None = None
        self.transfer_encoding: bytes | None = None
        self.chunked = False
        self.connection = b""
        self.connection_close = False
        self.upgrade: bytes | None = None
        self.websocket_accept: bytes | None = None
        self.has_date = False
        self.has_hsts = False
        self.lines = b""
        self.lines_without_hsts = b""


def parse_response_head(block: bytes, *, fields_max: int = 200) -> ResponseHead:
    """Parses a whole head, from the status line up to and including the empty line.

    Raises 502 `gateway_protocol` for anything malformed, whatever it is: the client can't mend it.
    """
    try:
        return _parse(block, fields_max)
    except EntryError as error:
        raise EntryError(
            502, "gateway_protocol", f"The gateway spoke nonsense. {error.detail}", source=Source.GATEWAY, close=True
        ) from error


def _parse(block: bytes, fields_max: int) -> ResponseHead:
    status_line, _, rest = block.partition(b"\r\n")
    match = _STATUS_LINE(status_line)
    if match is None or not block.endswith(b"\r\n\r\n"):
        raise malformed("The status line or the end of the head is malformed.")
    minor, status, reason = match.groups()
    head = ResponseHead(int(status), 0 if minor == b"0" else 1, reason or b"")
    lines: list[bytes] = []
    for line in split_lines(rest[:-2], fields_max):
        name, colon, value = line.partition(b":")
        if not colon:
            raise malformed("A field line has no colon.")
        value = value.lstrip(BLANKS).rstrip(b" ")
        key = name.lower()
        take = _TAKERS.get(key)
        if take is not None:
            if not take(head, value):
                continue
        elif key not in _PLAIN:
            require_name(name)
        lines.append(b"%b: %b\r\n" % (name, value))
    _settle_framing(head)
    lines = _settle_connection(head, lines)
    head.lines = b"".join(lines)
    head.lines_without_hsts = b"".join(without_fields(lines, _HSTS)) if head.has_hsts else head.lines
    return head


def _settle_framing(head: ResponseHead) -> None:
    coding = head.transfer_encoding
    if head.status < 200 and (coding is not None or head.content_length):
        # Forbidden (RFC 9110 §8.6, RFC 9112 §6.1), and some clients wait for the body that an interim response can't
        # have.
        raise malformed("An interim response announces a body.")
    if coding is None:
        return
    if head.content_length is not None:
        raise malformed("Content-Length and Transfer-Encoding exclude each other.")
    if coding.lower() != b"chunked" or head.minor == 0:
        raise malformed("Transfer-Encoding is not a single chunked, or not in HTTP/1.1.")
    head.chunked = True


def _settle_connection(head: ResponseHead, lines: list[bytes]) -> list[bytes]:
    """Applies Connection's options; gives the lines without the fields that it names."""
    options = connection_options(head.connection)
    head.connection_close = b"close" in options or (head.minor == 0 and b"keep-alive" not in options)
    if head.status != 101 or b"upgrade" not in options:
        head.upgrade = None
    if options <= _FLAGS:
        return lines
    if b"sec-websocket-accept" in options:
        head.websocket_accept = None
    return without_fields(lines, options)


_FLAGS = frozenset({b"close", b"keep-alive", b"upgrade"})
_HSTS = frozenset({b"strict-transport-security"})

Taker = Callable[[ResponseHead, bytes], bool]
"""Reads one field; says whether it also travels on."""


def _take_content_length(head: ResponseHead, value: bytes) -> bool:
    if head.content_length is not None:
        raise malformed("Content-Length is repeated.")
    head.content_length = content_length_of(value)
    return False


def _take_transfer_encoding(head: ResponseHead, value: bytes) -> bool:
    if head.transfer_encoding is not None:
        raise malformed("Transfer-Encoding is repeated.")
    head.transfer_encoding = value
    return False


def _take_connection(head: ResponseHead, value: bytes) -> bool:
    head.connection = head.connection + b"," + value if head.connection else value
    return False


def _take_upgrade(head: ResponseHead, value: bytes) -> bool:
    head.upgrade = value if head.upgrade is None else head.upgrade + b", " + value
    return False


def _take_websocket_accept(head: ResponseHead, value: bytes) -> bool:
    if head.websocket_accept is not None:
        raise malformed("Sec-WebSocket-Accept is repeated.")
    head.websocket_accept = value
    return True


def _take_date(head: ResponseHead, _value: bytes) -> bool:
    head.has_date = True
    return True


def _take_hsts(head: ResponseHead, _value: bytes) -> bool:
    head.has_hsts = True
    return True


def _drop(_head: ResponseHead, _value: bytes) -> bool:
    return False


_TAKERS: dict[bytes, Taker] = {
    **dict.fromkeys(names.HOP_BY_HOP, _drop),
    b"connection": _take_connection,
    b"content-length": _take_content_length,
    b"date": _take_date,
    b"sec-websocket-accept": _take_websocket_accept,
    b"strict-transport-security": _take_hsts,
    b"transfer-encoding": _take_transfer_encoding,
    b"upgrade": _take_upgrade,
}

# Names that many responses carry and that just pass: one look-up instead of the token's pattern.
_PLAIN = frozenset(
    {
        b"accept-ranges",
        b"access-control-allow-origin",
        b"age",
        b"cache-control",
        b"content-encoding",
        b"content-type",
        b"etag",
        b"expires",
        b"last-modified",
        b"location",
        b"server",
        b"set-cookie",
        b"vary",
        b"x-content-type-options",
        b"x-envoy-upstream-service-time",
        b"x-frame-options",
    }
)
