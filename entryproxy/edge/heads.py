"""Heads remembered byte for byte.

Clients repeat their field blocks and gateways their answers' heads, so each is parsed and rewritten once and found
again under its own bytes: the same bytes mean the same. What depends on the configuration is checked against it at
every use; nothing else goes into the value. Both memories are bounded and start over when full.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from entryproxy.errors import EntryError, Source
from entryproxy.http1.request import RequestFields, parse_request_fields
from entryproxy.http1.response import ResponseHead, parse_response_head
from entryproxy.model.hostname import normalize
from entryproxy.routing.match import NoRoute, Route, match_host
from entryproxy.telemetry.access_line import HeadText

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.http1 import Http1Connection
    from entryproxy.edge.tenants import TenantState

_PSEUDONYM = b"1.1 entryproxy"


class KnownRequest:
    """A request's fields with where they lead, and how they read at the gateway.

    forwarded: everything of the gateway's head but the request line, the request id and what depends on the client's
    address. refusal: why it goes nowhere, or None. hops: how often it has passed an entry before. plain: no body, no
    upgrade, nothing special. common: nothing but the SNI has to be checked before it is forwarded. keeps_alive: the
    client wants its connection to go on. tenant_id: "" when it leads nowhere.
    """

    __slots__ = (
        "common",
        "era",
        "fields",
        "forwarded",
        "hops",
        "host",
        "keeps_alive",
        "plain",
        "refusal",
        "route",
        "state",
        "tenant_id",
        "text",
    )

    def __init__(self, fields: RequestFields) -> None:
        self.fields = fields
        self.host = normalize(fields.host.decode("latin-1")) if fields.host is not None else ""
        self.era: object = None
        self.route: Route | None = None
        self.state: TenantState | None = None
        self.refusal: EntryError | None = None
        self.forwarded = b""
        self.tenant_id = ""
        self.common = False
        self.keeps_alive = not fields.connection_close
        self.text = HeadText(host=self.host or None, user_agent=fields.user_agent or None)
        self.hops = _hops(fields)
        self.plain = not (
            self.hops
            or fields.content_length
            or fields.chunked
            or fields.upgrade
            or fields.expect_continue
            or fields.max_forwards is not None
        )

    def lead(self, edge: EdgeContext, secure: bool) -> None:
        """Find the tenant in the table; called when `era` is another one."""
        route = match_host(edge.table, self.host)
        self.era = edge.era
        if isinstance(route, NoRoute):
            self.route = self.state = None
            self.common = False
            self.tenant_id = ""
            self.refusal = EntryError(404, route.reason, route.detail)
            self.text = HeadText(host=self.host or None, user_agent=self.fields.user_agent or None)
            return
        known = self.route
        self.route, self.refusal = route, None
        if self.hops >= edge.limits.hops_max:  # RFC 9110 §7.3: it would go round until no connection is left
            detail = "The tenant's gateway leads back to this entry."
            self.refusal = EntryError(508, "loop", detail, source=Source.GATEWAY)
        self.state = edge.tenants[route.tenant.id]
        self.tenant_id = route.tenant.id
        self.common = self.plain and (secure or not route.tenant.https_redirect)
        if known is None or (known.tenant.id, known.service, known.domain_type) != (
            route.tenant.id,
            route.service,
            route.domain_type,
        ):
            self.text = HeadText(
                tenant=route.tenant.id,
                service=route.service or None,
                domain_type=route.domain_type,
                host=self.host,
                user_agent=self.fields.user_agent or None,
            )
            self.forwarded = forwarded_fields(self.fields, route, secure)


class RequestMemory:
    """KnownRequests of HTTP/1.1 clients on one kind of port, under the bytes of their field blocks, empty line
    included.

    known: the map itself, for the path of a request that may be found in it and nowhere else.
    """

    __slots__ = ("_edge", "_secure", "known")

    def __init__(self, edge: EdgeContext, secure: bool) -> None:
        self._edge = edge
        self._secure = secure
        self.known: dict[bytes, KnownRequest] = {}

    def find(self, block: bytes) -> KnownRequest:
        """The request with this field block, leading where the table says. Raises EntryError for what is
        malformed.
        """
        known = self.known.get(block)
        if known is None:
            known = self._parse(block)
        if known.era is not self._edge.era:
            known.lead(self._edge, self._secure)
        return known

    def find_as(self, block: bytes, authority: bytes | None, minor: int, server_name: str) -> KnownRequest:
        """The same for the unusual: an absolute-form target, whose authority wins over Host, and HTTP/1.0 clients.

        server_name stands in for the Host that HTTP/1.0 may leave out.
        """
        fields = parse_request_fields(block[:-2], fields_max=self._edge.limits.fields_max)
        if authority is not None:
            if fields.host is None and minor:
                raise EntryError(400, "missing_host", "An HTTP/1.1 request needs a Host.", close=True)
            fields.host = authority
        elif fields.host is None and server_name:
            fields.host = server_name.encode()
        if minor == 0:
            _strip_newer_fields(fields)
        known = KnownRequest(fields)
        known.lead(self._edge, self._secure)
        return known

    def _parse(self, block: bytes) -> KnownRequest:
        limits = self._edge.limits
        fields = parse_request_fields(block[:-2], fields_max=limits.fields_max)
        if fields.host is None:
            raise EntryError(400, "missing_host", "An HTTP/1.1 request needs a Host.", close=True)
        known = KnownRequest(fields)
        if len(block) <= limits.remembered_head_bytes_max:
            if len(self.known) >= limits.remembered_heads_max:
                self.known.clear()
            self.known[block] = known
        return known


def _hops(fields: RequestFields) -> int:
    """By its Via; a stranger who adds to that only harms itself."""
    return [one.strip() for one in fields.via.split(b",")].count(_PSEUDONYM) if fields.via else 0


def _strip_newer_fields(fields: RequestFields) -> None:
    """What HTTP/1.0 doesn't have: chunked is an error (RFC 9112 §6.1), the rest is ignored (RFC 9110 §7.8, §10.1.1)."""
    if fields.chunked:
        raise EntryError(400, "malformed_framing", "HTTP/1.0 has no Transfer-Encoding.", close=True)
    fields.upgrade = None
    fields.expect_continue = False
    fields.accepts_trailers = False


def forwarded_fields(fields: RequestFields, route: Route, secure: bool, *, trusted: bool = False) -> bytes:
    """The gateway's field lines that don't depend on the client's address. With `trusted` what a trusted proxy said
    stays.
    """
    host = fields.host or b""
    scheme = b"https" if secure else b"http"
    default_port = b"443" if secure else b"80"
    port = _port_of(host) or default_port
    via = fields.via
    extra = b""
    forwarded_host = host
    if trusted:
        scheme = fields.forwarded_proto or scheme
        forwarded_host = fields.forwarded_host or host
        port = fields.forwarded_port or (
            port if not fields.forwarded_proto else _port_of(host) or _PORTS.get(scheme, port)
        )
        extra = b"Forwarded: " + fields.forwarded + b"\r\n" if fields.forwarded else b""
    elif via:
        via = b", ".join([_PSEUDONYM] * _hops(fields))
    lines = [
        b"Host: " + host,
        fields.lines + extra + b"X-Forwarded-Host: " + forwarded_host,
        b"X-Forwarded-Proto: " + scheme,
        b"X-Forwarded-Port: " + port,
        b"X-Entry-Tenant: " + route.tenant.id.encode(),
        b"X-Entry-Domain-Type: " + route.domain_type.encode(),
        b"Via: " + (via + b", " + _PSEUDONYM if via else _PSEUDONYM),
    ]
    if route.service:
        lines.append(b"X-Entry-Service: " + route.service.encode())
    lines += _framing_lines(fields)
    return b"\r\n".join(lines) + b"\r\n"


_PORTS = {b"https": b"443", b"http": b"80"}


def _framing_lines(fields: RequestFields) -> list[bytes]:
    lines = []
    if fields.content_length is not None:
        lines.append(b"Content-Length: %d" % fields.content_length)
    elif fields.chunked:
        lines.append(b"Transfer-Encoding: chunked")
    options = []
    if fields.upgrade is not None:
        lines.append(b"Upgrade: " + fields.upgrade)
        options.append(b"upgrade")
    if fields.accepts_trailers:
        lines.append(b"TE: trailers")
        options.append(b"TE")
    if options:
        lines.append(b"Connection: " + b", ".join(options))
    if fields.expect_continue:
        lines.append(b"Expect: 100-continue")
    if fields.max_forwards:
        lines.append(b"Max-Forwards: %d" % (fields.max_forwards - 1))
    return lines


def trusted_lines(known: KnownRequest, http: Http1Connection) -> tuple[bytes, bytes]:
    """`known.forwarded` and the client's lines with what a trusted proxy says of its client."""
    fields, route = known.fields, known.route
    assert route is not None
    forwarded = forwarded_fields(fields, route, http.link.secure, trusted=True)
    return forwarded, http.client.lines_behind(fields.forwarded_for)


def trusted_request_id(value: bytes) -> bytes:
    """A trusted proxy's X-Request-Id, b"" when it is not a plain token that may go into logs and headers as it is."""
    return value if _is_request_id(value) is not None else b""


_is_request_id = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}").fullmatch


def _port_of(host: bytes) -> bytes:
    """The port that a Host names; b"" when it names none."""
    _, colon, port = host.rpartition(b":")
    return port if colon and not port.endswith(b"]") else b""


_VARIANTS_MAX = 8


class KnownAnswer:
    """A gateway's response head and how it reads at a client.

    start: status line and fields, each with CRLF, without framing, Date added by the caller when `head.has_date` is
    false. length: Content-Length when the answer is common (connection kept, length and date there, a body allowed),
    else -1. whole: the complete head of a common answer for an HTTP/1.1 client whose connection goes on.
    """

    __slots__ = ("_variants", "head", "length", "start", "status", "whole")

    def __init__(self, head: ResponseHead) -> None:
        self.head = head
        self.start = b"HTTP/1.1 %d %b\r\n%b" % (head.status, head.reason, head.lines)
        self.length = -1
        self.status = head.status
        self.whole = b""
        self._variants: dict[tuple[bytes, bool], bytes] = {}
        if (
            head.content_length is not None
            and head.has_date
            and not head.connection_close
            and head.status >= 200
            and head.status not in (204, 205, 304)
        ):
            self.length = head.content_length
            self.whole = b"%bContent-Length: %d\r\n\r\n" % (self.start, self.length)

    def whole_with(self, hsts: bytes, *, close: bool) -> bytes:
        """`whole` with the tenant's Strict-Transport-Security, if it has one, and perhaps as the connection's last."""
        head = self._variants.get((hsts, close))
        if head is None:
            start = self.start_with(hsts) if hsts else self.start
            last = b"Connection: close\r\n" if close else b""
            head = b"%bContent-Length: %d\r\n%b\r\n" % (start, self.length, last)
            if len(self._variants) >= _VARIANTS_MAX:
                self._variants.clear()
            self._variants[hsts, close] = head
        return head

    def start_with(self, hsts: bytes) -> bytes:
        """`start` with the tenant's Strict-Transport-Security in place of the gateway's."""
        head = self.head
        return b"HTTP/1.1 %d %b\r\n%bStrict-Transport-Security: %b\r\n" % (
            head.status,
            head.reason,
            head.lines_without_hsts,
            hsts,
        )


class AnswerMemory:
    """KnownAnswers of all gateways, under the bytes of their heads; `known` is the map itself."""

    __slots__ = ("_bytes_max", "_count_max", "known")

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self.known: dict[bytes, KnownAnswer] = {}

    def find(self, block: bytes) -> KnownAnswer:
        """The answer with this head, status line and empty line included. Raises EntryError 502 for nonsense."""
        known = self.known.get(block)
        if known is None:
            known = KnownAnswer(parse_response_head(block))
            if len(block) <= self._bytes_max:
                if len(self.known) >= self._count_max:
                    self.known.clear()
                self.known[block] = known
        return known
