"""The head of a request: its line and its fields (RFC 9112 §3, §5, §6; RFC 9110 §7).

The two are parsed apart because clients repeat their fields from request to request while the line changes: a caller
remembers `RequestFields` under the bytes of the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from entryproxy.errors import EntryError
from entryproxy.http1 import names
from entryproxy.http1.grammar import (
    BLANKS,
    TOKEN,
    connection_options,
    content_length_of,
    is_host,
    is_token,
    list_elements,
    malformed,
    require_name,
    split_lines,
    without_fields,
)
from entryproxy.http1.negotiation import prefers_html

ALLOW = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
"""What a 405 says; other methods pass too, so that WebDAV and its like work."""

# Targets are printable ASCII without "#". Browsers send characters that RFC 3986 would have encoded, such as "|", so
# the pattern is no narrower than that; none of them can end the line.
_TARGET = rb"[!\"$-~]"
# Neither quote nor backslash, so that the target is as safe in a JSON string as in a request line.
match_common_line = re.compile(
    rb"(GET|POST|HEAD|PUT|DELETE|PATCH|OPTIONS) (/[!$-\[\]-~]*) HTTP/1\.1",
).fullmatch
"""Method and target of most request lines at the cost of one match; None says nothing: ask `parse_request_line`."""
_COMMON_LINE = re.compile(rb"(" + TOKEN + rb") (/" + _TARGET + rb"*) HTTP/1\.([0-9])").fullmatch
_ANY_LINE = re.compile(rb"(" + TOKEN + rb") (" + _TARGET + rb"+) HTTP/([0-9])\.([0-9])").fullmatch
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?]*)([/?].*)?", re.IGNORECASE).fullmatch
_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE"})


class RequestLine(NamedTuple):
    """A request line. `target` is the origin-form to send on (b"/a?b", or b"*"); `minor` is 0 or 1.

    `authority` is host and port of an absolute-form target, which wins over Host (RFC 9112 §3.2.2), else None.
    """

    method: bytes
    target: bytes
    minor: int
    authority: bytes | None


def parse_request_line(line: bytes) -> RequestLine:
    """Parses `method SP target SP HTTP/1.x`, without its CRLF; a minor above 1 is served as 1 (RFC 9110 §2.5).

    Raises 400 for everything else, 405 with Allow for CONNECT and TRACE, 505 for another major version.
    """
    match = _COMMON_LINE(line)
    if match is None:
        return _parse_uncommon_line(line)
    method, target, minor = match.groups()
    if method in _REFUSED_METHODS:
        raise _not_allowed()
    return RequestLine(method, target, 0 if minor == b"0" else 1, None)


def _parse_uncommon_line(line: bytes) -> RequestLine:
    match = _ANY_LINE(line)
    if match is None:
        raise malformed("The request line is not method, target and version.", "malformed_request_line")
    method, target, major, digit = match.groups()
    minor = 0 if digit == b"0" else 1
    if major != b"1":
        raise EntryError(505, "unsupported_version", "Only HTTP/1.0 and HTTP/1.1 are spoken here.", close=True)
    if method in _REFUSED_METHODS:
        raise _not_allowed()
    if target == b"*" and method == b"OPTIONS":
        return RequestLine(method, target, minor, None)
    absolute = _ABSOLUTE_FORM(target)
    if absolute is None or not is_host(absolute[1]):
        raise malformed("The request target has none of the allowed forms.", "malformed_request_line")
    return RequestLine(method, _origin_form(method, absolute[2] or b""), minor, absolute[1])


def _origin_form(method: bytes, rest: bytes) -> bytes:
    """Path and query of an absolute-form target; without either, OPTIONS asks about the server as a whole (RFC 9112
    §3.2.4).
    """
    if rest.startswith(b"/"):
        return rest
    return b"*" if method == b"OPTIONS" and not rest else b"/" + rest


def _not_allowed() -> EntryError:
    detail = "CONNECT and TRACE are not served here."
    return EntryError(405, "method_not_allowed", detail, close=True, headers=(("Allow", ALLOW),))


class RequestFields:
    """What a request's field block says; immutable once parsed, so it may be shared between requests.

    host: validated, as sent, with its port; None when absent. content_length: octets. chunked: the one transfer coding.
    connection_close, connection_keep_alive: named by Connection; which one wins depends on the version, the caller's
    business. upgrade: the protocols asked for, HTTP/2 left out; only when Connection names it and there is no body.
    websocket_key, websocket_version: as sent. expect_continue, max_forwards (RFC 9110 §10.1.1, §7.6.2): the caller
    sends both fields on itself. accepts_trailers: TE names trailers. forwarded_for … forwarded: values of fields that
    only the entry sends on, lists joined by ", ", b"" when absent; to be believed from trusted proxies only.
    prefers_html: how the client likes its errors. lines: the end-to-end fields, "Name: value" CRLF each, in their order
    and case, without Host, framing, hop-by-hop fields and the entry's own.
    """

    __slots__ = (
        "accept",
        "accepts_trailers",
        "chunked",
        "connection",
        "connection_close",
        "connection_keep_alive",
        "content_length",
        "expect_continue",
        "forwarded",
        "forwarded_for",
        "forwarded_host",
        "forwarded_port",
        "forwarded_proto",
        "host",
        "lines",
        "max_forwards",
        "prefers_html",
        "request_id",
        "transfer_encoding",
        "upgrade",
        "user_agent",
        "via",
        "websocket_key",
        "websocket_version",
    )

    def __init__(self) -> None:
        self.host: bytes | None = None
        self.content_length: int | None = None
        self.transfer_encoding: bytes | None = None
        self.chunked = False
        self.connection = b""
        self.connection_close = False
        self.connection_keep_alive = False
        self.upgrade: bytes | None = None
        self.websocket_key: bytes | None = None
        self.websocket_version: bytes | None = None
        self.expect_continue = False
        self.max_forwards: int | None = None
        self.accepts_trailers = False
        self.forwarded_for = b""
        self.forwarded_proto = b""
        self.forwarded_host = b""
        self.forwarded_port = b""
        self.forwarded = b""
        self.request_id = b""
        self.via = b""
        self.user_agent = b""
        self.accept = b""
        self.prefers_html = False
        self.lines = b""


def parse_request_fields(block: bytes, *, fields_max: int = 100) -> RequestFields:
    """Parses field lines, each ending in CRLF, without the empty line after them; b"" has no fields.

    Raises 400 for what is malformed, 417 for an unknown Expect, 431 for more than `fields_max` lines, 501 for an
    unknown transfer coding.
    """
    fields = RequestFields()
    lines: list[bytes] = []
    for line in split_lines(block, fields_max):
        name, colon, value = line.partition(b":")
        if not colon:
            raise malformed("A field line has no colon.")
        value = value.lstrip(BLANKS).rstrip(b" ")
        key = name.lower()
        take = _TAKERS.get(key)
        if take is not None:
            if not take(fields, value):
                continue
        elif key not in _PLAIN:
            require_name(name)
            if not names.may_pass(key):
                continue
        lines.append(b"%b: %b\r\n" % (name, value))
    _settle_framing(fields)
    if fields.connection or fields.upgrade is not None:
        lines = _settle_connection(fields, lines)
    fields.prefers_html = prefers_html(fields.accept)
    fields.lines = b"".join(lines)
    return fields


def _settle_framing(fields: RequestFields) -> None:
    coding = fields.transfer_encoding
    if coding is None:
        return
    if fields.content_length is not None:
        raise malformed("Content-Length and Transfer-Encoding exclude each other.", "malformed_framing")
    if coding.lower() == b"chunked":
        fields.chunked = True
    elif is_token(coding) is None:
        raise malformed("Transfer-Encoding is not a single chunked.", "malformed_framing")
    else:
        raise EntryError(501, "unknown_transfer_coding", "The only transfer coding known here is chunked.", close=True)


def _settle_connection(fields: RequestFields, lines: list[bytes]) -> list[bytes]:
    """Applies Connection's options; gives the lines without the fields that it names.

    The entry's own fields, Host and the framing are not among `lines`, so naming them changes nothing.
    """
    options = connection_options(fields.connection)
    fields.connection_close = b"close" in options
    fields.connection_keep_alive = b"keep-alive" in options
    if fields.upgrade is not None:
        # With a body, servers disagree on whether the body or the new protocol comes first (Node.js reads no body
        # then), so the upgrade is not asked for; a server may ignore it anyway (RFC 9110 §7.8).
        has_body = fields.chunked or bool(fields.content_length)
        fields.upgrade = _without_http2(fields.upgrade) if b"upgrade" in options and not has_body else None
    if options <= _FLAGS:
        return lines
    if b"sec-websocket-key" in options:
        fields.websocket_key = None
    if b"sec-websocket-version" in options:
        fields.websocket_version = None
    return without_fields(lines, options)


def _without_http2(upgrade: bytes) -> bytes | None:
    """The protocols of Upgrade that may pass: a tunnel that turns into HTTP/2 would carry requests that nobody has
    judged.
    """
    protocols = list_elements(upgrade)
    for protocol in protocols:
        if _is_protocol(protocol) is None:
            raise malformed("Upgrade holds something else than protocols.")
    kept = [one for one in protocols if one.partition(b"/")[0].lower() not in _HTTP_PROTOCOLS]
    return b", ".join(kept) or None


_FLAGS = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"})
_HTTP_PROTOCOLS = frozenset({b"h2c", b"h2", b"http"})
_is_protocol = re.compile(TOKEN + rb"(?:/" + TOKEN + rb")?").fullmatch

Taker = Callable[[RequestFields, bytes], bool]
"""Reads one field; says whether it also travels on."""


def _take_host(fields: RequestFields, value: bytes) -> bool:
    if fields.host is not None or not is_host(value):
        raise malformed("Host is repeated or is not a host.", "malformed_host")
    fields.host = value
    return False


def _take_content_length(fields: RequestFields, value: bytes) -> bool:
    if fields.content_length is not None:
        raise malformed("Content-Length is repeated.", "malformed_framing")
    fields.content_length = content_length_of(value)
    return False


def _take_transfer_encoding(fields: RequestFields, value: bytes) -> bool:
    if fields.transfer_encoding is not None:
        raise malformed("Transfer-Encoding is repeated.", "malformed_framing")
    fields.transfer_encoding = value
    return False


def _take_connection(fields: RequestFields, value: bytes) -> bool:
    fields.connection = fields.connection + b"," + value if fields.connection else value
    return False


def _take_upgrade(fields: RequestFields, value: bytes) -> bool:
    fields.upgrade = value if fields.upgrade is None else fields.upgrade + b"," + value
    return False


def _take_expect(fields: RequestFields, value: bytes) -> bool:
    if fields.expect_continue or value.lower() != b"100-continue":
        raise EntryError(417, "unknown_expectation", "The only expectation known here is 100-continue.", close=True)
    fields.expect_continue = True
    return False


def _take_max_forwards(fields: RequestFields, value: bytes) -> bool:
    if fields.max_forwards is not None or not value.isdigit() or len(value) > 18:
        raise malformed("Max-Forwards is repeated or is not a number.")
    fields.max_forwards = int(value)
    return False


def _take_te(fields: RequestFields, value: bytes) -> bool:
    fields.accepts_trailers |= b"trailers" in list_elements(value.lower())
    return False


def _take_accept(fields: RequestFields, value: bytes) -> bool:
    fields.accept = fields.accept + b"," + value if fields.accept else value
    return True


def _take_user_agent(fields: RequestFields, value: bytes) -> bool:
    fields.user_agent = value
    return True


def _take_websocket_key(fields: RequestFields, value: bytes) -> bool:
    if fields.websocket_key is not None:
        raise malformed("Sec-WebSocket-Key is repeated.")
    fields.websocket_key = value
    return True


def _take_websocket_version(fields: RequestFields, value: bytes) -> bool:
    if fields.websocket_version is not None:
        raise malformed("Sec-WebSocket-Version is repeated.")
    fields.websocket_version = value
    return True


def _drop(_fields: RequestFields, _value: bytes) -> bool:
    return False


def _joined(attribute: str) -> Taker:
    """A taker that keeps a list field, joined over its lines, for callers that trust the client."""

    def take(fields: RequestFields, value: bytes) -> bool:
        before: bytes = getattr(fields, attribute)
        setattr(fields, attribute, before + b", " + value if before else value)
        return False

    return take


_TAKERS: dict[bytes, Taker] = {
    **dict.fromkeys(names.HOP_BY_HOP, _drop),
    **dict.fromkeys(names.OWN, _drop),
    b"accept": _take_accept,
    b"connection": _take_connection,
    b"content-length": _take_content_length,
    b"expect": _take_expect,
    b"forwarded": _joined("forwarded"),
    b"host": _take_host,
    b"max-forwards": _take_max_forwards,
    b"sec-websocket-key": _take_websocket_key,
    b"sec-websocket-version": _take_websocket_version,
    b"te": _take_te,
    b"transfer-encoding": _take_transfer_encoding,
    b"upgrade": _take_upgrade,
    b"user-agent": _take_user_agent,
    b"via": _joined("via"),
    b"x-forwarded-for": _joined("forwarded_for"),
    b"x-forwarded-host": _joined("forwarded_host"),
    b"x-forwarded-port": _joined("forwarded_port"),
    b"x-forwarded-proto": _joined("forwarded_proto"),
    b"x-request-id": _joined("request_id"),
}

# Names that nearly every request carries and that just pass: one look-up instead of the whole judgement.
_PLAIN = frozenset(
    {
        b"accept-encoding",
        b"accept-language",
        b"authorization",
        b"cache-control",
        b"content-type",
        b"cookie",
        b"dnt",
        b"if-modified-since",
        b"if-none-match",
        b"origin",
        b"pragma",
        b"priority",
        b"range",
        b"referer",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"sec-gpc",
        b"upgrade-insecure-requests",
    }
)
