"""A client's HTTP/1.1 connection: finds requests in plaintext, one exchange at a time, answers in order (RFC 9112
§9.3).

Bytes that arrive while an exchange runs and are not its body wait, up to a limit; past it the client isn't read until
they can be looked at. That bounds memory and keeps the order without a queue of exchanges.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.edge.client import Client
from entryproxy.edge.deadlines import Timed
from entryproxy.edge.exchange import Exchange
from entryproxy.edge.hold import GATEWAY, PIPELINE, WRITER, ReadingHold
from entryproxy.edge.local import refuse_bytes, refuse_request, serve_locally
from entryproxy.edge.pace import Pace
from entryproxy.edge.policy import check_request
from entryproxy.errors import EntryError
from entryproxy.http1.body import RequestBody
from entryproxy.http1.head import check_sizes, find_head_end
from entryproxy.http1.request import RequestFields, RequestLine, match_common_line, parse_request_line

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.heads import KnownRequest
    from entryproxy.edge.transport import ClientTransport


class Http1Connection(Timed):
    """HTTP/1.1 over one ClientTransport, `link`."""

    __slots__ = (
        "_blocked",
        "_body",
        "_buffer",
        "_closing",
        "_exchange",
        "_heads",
        "_known",
        "_line_bytes_max",
        "_looking",
        "_pace",
        "_requests",
        "_requests_max",
        "_scanned",
        "client",
        "edge",
        "hold",
        "is_write_paused",
        "link",
    )

    def __init__(self, edge: EdgeContext, link: ClientTransport) -> None:
        super().__init__()
        # -- the connection's
        self.edge = edge
        self.link = link
        self._heads = edge.requests_tls if link.secure else edge.requests_plain
        self._known = self._heads.known
        self._requests_max = edge.limits.requests_per_connection_max
        self._line_bytes_max = edge.limits.request_line_bytes_max
        self.client = Client(edge, link.client, link.tls_version)
        self._requests = 0
        self._closing = False
        self._blocked = False  # closing, or the client doesn't read: no request is looked at
        self._looking = False
        self.hold = ReadingHold(link)
        self.is_write_paused = False
        # -- bytes not yet understood
        self._buffer = b""
        self._scanned = 0
        # -- the request's
        self._exchange: Exchange | None = None
        self._body: RequestBody | None = None
        self._pace: Pace | None = None
        self.set_deadline(edge.limits.head_seconds)

    # -- what the transport tells

    def data_received(self, data: bytes) -> None:
        if self._exchange is None and not self._buffer:
            # A head that is known byte for byte, with nothing behind it: what most reads bring. A block that is in
            # the map ends with the empty line and holds no other, so finding it settles where the head ends as well.
            line, _, block = data.partition(b"\r\n")
            known = self._known.get(block)
            if known is not None and known.common and known.era is self.edge.era and not self._blocked:
                match = match_common_line(line) if len(line) <= self._line_bytes_max else None
                server_tenant = self.link.server_tenant
                if match is not None and (server_tenant is None or server_tenant == known.tenant_id):
                    method, target = match.groups()
                    self._requests += 1
                    exchange = self._exchange = Exchange(self, known, method, target, 1, monotonic())
                    exchange.received = len(data)
                    exchange.needs_escape = False
                    exchange.keep_alive = (
                        known.keeps_alive and self._requests < self._requests_max and not self.edge.draining
                    )
                    exchange.begin()
                    return
        self._data_received(data)

    def _data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            if self._closing:
                return
            if self._buffer:
                data = self._buffer + data
            if self.is_write_paused:
                self._buffer = data
                self.hold.add(WRITER)
            else:
                self._look(data)
            return
        if self._body is not None:
            self._read_body(exchange, self._body, data)
        elif exchange.tunnel is not None:
            exchange.tunnel.up(data)
        else:
            self._wait(data)

    def eof_received(self) -> None:
        """The client sends no more: it has left, as far as a proxy can tell."""
        self.connection_lost()

    def connection_lost(self) -> None:
        self._end()
        if self._pace is not None:
            self._pace.stop()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    def pause_writing(self) -> None:
        self.is_write_paused = self._blocked = True
        if self._exchange is not None:
            self._exchange.client_paused()
            self._watch_pace()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        self._blocked = self._closing
        if self._exchange is not None:
            self._exchange.client_resumed()
        elif self.hold.reasons & WRITER:
            self.hold.drop_all()
            if self._buffer:
                self._look(self._buffer)

    # -- deadlines

    def set_deadline(self, seconds: float) -> None:
        """From now on something must happen within `seconds`."""
        deadline = monotonic() + seconds
        if deadline >= self.looked_at:
            self.deadline = deadline  # what `wheel.set` would do, without the call
        else:
            self.edge.wheel.set(self, deadline)

    def expired(self, now: float) -> None:
        if self._exchange is not None:
            self._exchange.timed_out()
        elif self._buffer:
            self._refuse(EntryError(408, "head_timeout", "The request's head did not arrive in time.", close=True))
        else:
            self._close()

    # -- heads

    def _look(self, data: bytes) -> None:
        """Start on the request at the head of `data`, and on those behind it that are answered at once."""
        self._looking = True
        while True:
            if self._scanned < 2 and data.startswith(b"\r\n"):  # RFC 9112 §2.2 lets one be ignored
                data = data[2:]
            self._buffer = b""
            try:
                end = self._head_end(data)
                if end < 0:
                    break
                self._scanned = 0
                self._begin(data, end)
            except EntryError as error:
                self._refuse(error)
            if self._exchange is not None or self._closing or not self._buffer:
                break
            if self.is_write_paused:
                self.hold.add(WRITER)
                break
            data = self._buffer
        self._looking = False
        if self.hold.reasons & PIPELINE and len(self._buffer) <= self.edge.limits.pipelined_bytes_max:
            self.hold.drop(PIPELINE)  # what waited was answered, or was the start of a body

    def _head_end(self, data: bytes) -> int:
        """Where the head ends, or -1 after putting `data` aside. Raises EntryError over the limits."""
        limits = self.edge.limits
        end = data.find(b"\r\n\r\n", max(self._scanned - 3, 0)) + 4
        if end == 3:
            find_head_end(data, self._scanned)  # refuses a head that can't end well any more
            end = -1
        if end > limits.head_bytes_max or (end < 0 and len(data) > limits.request_line_bytes_max):
            check_sizes(data, limits.request_line_bytes_max, limits.head_bytes_max)
        if end < 0:
            if len(data) > 1 and self._scanned < 2:  # an empty line, or half of one, is no beginning
                self.set_deadline(limits.head_seconds)
            self._scanned = len(data)
            self._buffer = data
        return end

    def _begin(self, data: bytes, end: int) -> None:
        """A whole head: find its tenant and begin its exchange. Raises EntryError for what is malformed."""
        line_end = data.find(b"\r\n")
        if line_end > self._line_bytes_max:
            check_sizes(data, self._line_bytes_max, self.edge.limits.head_bytes_max)
        line = parse_request_line(data[:line_end])
        block = data[line_end + 2 : end]
        if line.minor == 1 and line.authority is None:
            known = self._heads.find(block)
        else:
            known = self._heads.find_as(block, line.authority, line.minor, self.link.server_name)
        self._requests += 1
        fields = known.fields
        if fields.chunked or fields.content_length:
            limits = self.edge.limits
            self._body = RequestBody(
                None if fields.chunked else fields.content_length,
                chunk_line_bytes_max=limits.chunk_line_bytes_max,
                trailer_bytes_max=limits.trailer_bytes_max,
            )
        if end < len(data):
            self._buffer = data[end:]
        try:
            check_request(self.link, known, line)
        except EntryError as error:
            close = error.close or self._closes_after(line.minor, fields)
            refuse_request(self, error, line, known, end, close=close)
            self._after_own_answer(close=close)
            return
        close = self._closes_after(line.minor, fields)
        if serve_locally(self, line, known, end, close=close):
            self._after_own_answer(close=close)
        else:
            self._forward(line, known, end)

    def _forward(self, line: RequestLine, known: KnownRequest, head_bytes: int) -> None:
        exchange = Exchange(self, known, line.method, line.target, line.minor, monotonic())
        exchange.received = head_bytes
        exchange.keep_alive = self._may_keep_alive(line.minor, known.fields)
        self._exchange = exchange
        exchange.begin()
        if self._buffer and self._exchange is exchange and self._body is not None:
            data, self._buffer = self._buffer, b""
            self._read_body(exchange, self._body, data)
        if self._body is not None:
            self._watch_pace()

    def _may_keep_alive(self, minor: int, fields: RequestFields) -> bool:
        return (
            (minor == 1 or fields.connection_keep_alive)
            and not fields.connection_close
            and not self.edge.draining
            and self._requests < self._requests_max
        )

    def _closes_after(self, minor: int, fields: RequestFields) -> bool:
        """Whether an answer of ours ends the connection: also when a body would have to be read first."""
        return self._body is not None or not self._may_keep_alive(minor, fields)

    def _after_own_answer(self, *, close: bool) -> None:
        if close:
            self._close(lingering=self._body is not None or bool(self._buffer))
        else:
            self.set_deadline(self.edge.limits.keepalive_idle_seconds)

    def _refuse(self, error: EntryError) -> None:
        """Refuse bytes that were not understood; nothing behind them can be."""
        refuse_bytes(self, error)
        self._close(lingering=True)

    # -- bodies

    def _read_body(self, exchange: Exchange, body: RequestBody, data: bytes) -> None:
        """Body bytes; what follows the body waits."""
        try:
            pieces = body.feed(data)
        except EntryError as error:
            exchange.fail(error)
            return
        exchange.received += len(data) - len(body.rest)
        if body.done:
            self._body = None
            if body.rest:
                self._wait(body.rest)
        if pieces:
            exchange.body(pieces)
        if body.done:
            exchange.body_end(body.trailers)

    def _wait(self, data: bytes) -> None:
        """Pipelined bytes, for after this exchange."""
        self._buffer += data
        if len(self._buffer) > self.edge.limits.pipelined_bytes_max:
            self.hold.add(PIPELINE)

    # -- what the exchange tells

    def exchange_done(self, *, keep_alive: bool, body_unread: bool) -> None:
        """The answer is out (or the tunnel is over)."""
        self._exchange = None
        if not keep_alive or body_unread or self._closing:  # what is left of a body must never be read as a request
            self._close(lingering=body_unread or bool(self._buffer))
            return
        self._rest()

    def _rest(self) -> None:
        """Between two exchanges: the next request may be here already."""
        if self._closing:
            self._close(lingering=bool(self._buffer))
            return
        self.set_deadline(self.edge.limits.keepalive_idle_seconds)
        if self.is_write_paused:
            self.hold.add(WRITER)
            return
        if self.hold.reasons:
            self.hold.drop(GATEWAY | WRITER)
            if len(self._buffer) <= self.edge.limits.pipelined_bytes_max:
                self.hold.drop(PIPELINE)
        if self._buffer and not self._looking:
            self._look(self._buffer)

    def answered_whole(self, now: float) -> None:
        """The same after the common answer, which keeps the connection alive. now: time.monotonic."""
        self._exchange = None
        if self.hold.reasons or self._buffer or self._blocked:
            self._rest()
            return
        deadline = now + self.edge.limits.keepalive_idle_seconds
        if deadline >= self.looked_at:
            self.deadline = deadline
        else:
            self.edge.wheel.set(self, deadline)

    def tunnel_opened(self) -> None:
        """After a 101 bytes pass as they come, those that waited first."""
        self.hold.drop_all()
        data, self._buffer = self._buffer, b""
        if data and self._exchange is not None and self._exchange.tunnel is not None:
            self._exchange.tunnel.up(data)

    def cut(self) -> None:
        """What was sent must not look complete."""
        self._exchange = None
        self._end()
        self.link.cut()

    def drain(self) -> None:
        """The pod is going: idle connections close, the others after their exchange; a new one may still make its
        request.
        """
        if self._exchange is not None:
            self._exchange.drain()
        elif self._requests and not self._buffer:
            self._close()

    def abort(self) -> None:
        """The drain's time is over."""
        self.link.abort()

    # -- pace and end

    def _watch_pace(self) -> None:
        if self._pace is None and self._exchange is not None:
            self._pace = Pace(self.edge, self)

    @property
    def exchange(self) -> Exchange | None:
        return self._exchange

    def _end(self) -> None:
        """Nothing more is read, and nothing more is due: how long the rest may take is the transport's business."""
        self._closing = self._blocked = True
        self._buffer = b""
        self.edge.wheel.clear(self)

    def _close(self, *, lingering: bool = False) -> None:
        self._end()
        if lingering:
            self.link.close_lingering()
        else:
            self.link.close()
