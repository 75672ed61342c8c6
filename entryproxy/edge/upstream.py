"""A connection to a gateway: requests out, answers in, one exchange at a time.

The connection finds where an answer's head and body end (RFC 9112 §6.3) and tells its exchange; what the client gets
of that is the exchange's business. Whatever leaves the framing in doubt ends the connection instead of going back to
the pool.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, cast

from entryproxy.edge.deadlines import Timed
from entryproxy.errors import EntryError, Source
from entryproxy.http1.chunked import ChunkedDecoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.endpoints import Endpoint
    from entryproxy.edge.exchange import Exchange
    from entryproxy.edge.heads import KnownAnswer
    from entryproxy.edge.pool import GatewayPool

IDLE, HEAD, LENGTH, CHUNKED, UNTIL_CLOSE, TUNNEL, CLOSED = range(7)
_INTERIM_ANSWERS_MAX = 16


class GatewayConnection(Timed, asyncio.Protocol):
    """One TCP (or TLS) connection to one gateway address.

    reused: it has served an exchange before, so it may have died unnoticed. answered: a byte of the current answer
    has come. answer_closes: the gateway ends the connection after this answer. is_write_paused: the gateway doesn't
    take what was sent.
    """

    __slots__ = (
        "_buffer",
        "_decoder",
        "_edge",
        "_eof",
        "_exchange",
        "_interim",
        "_left",
        "_mode",
        "_paused",
        "_transport",
        "answer_closes",
        "answered",
        "endpoint",
        "is_write_paused",
        "pool",
        "reused",
    )

    _transport: asyncio.Transport

    def __init__(self, edge: EdgeContext, pool: GatewayPool, endpoint: Endpoint) -> None:
        super().__init__()
        # -- the connection's
        self._edge = edge
        self.pool = pool
        self.endpoint = endpoint
        self.reused = False
        self._eof = False
        self._paused = False
        self.is_write_paused = False
        # -- the exchange's
        self._exchange: Exchange | None = None
        self._mode = IDLE
        self._buffer = b""
        self._left = 0
        self._decoder: ChunkedDecoder | None = None
        self._interim = 0
        self.answered = False
        self.answer_closes = False

    @property
    def is_closed(self) -> bool:
        return self._mode == CLOSED

    # -- protocol interface

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.pool.made(self)
        transport.set_write_buffer_limits(high=self._edge.limits.gateway_write_high_bytes)

    def data_received(self, data: bytes) -> None:
        mode = self._mode
        if mode == HEAD:
            end = data.find(b"\r\n\r\n") + 4
            if end > 3 and not self._buffer:
                known = self._edge.answers.known.get(data[:end])
                exchange = self._exchange
                if known is not None and known.length == len(data) - end and exchange.plain:  # type: ignore[union-attr]
                    self._mode = IDLE
                    self._exchange = None
                    exchange.relay_whole(known, data[end:], self)  # type: ignore[union-attr]  # the common answer, all in one read
                    return
            self._read_head(data)
        elif mode == LENGTH:
            self._read_length(data)
        elif mode == CHUNKED:
            self._read_chunked(data)
        elif mode == UNTIL_CLOSE:
            self._exchange.relay_body((data,))  # type: ignore[union-attr]  # every mode but IDLE and CLOSED has one
        elif mode == TUNNEL:
            self._exchange.tunnel.down(data)  # type: ignore[union-attr]
        elif mode == IDLE:  # bytes that nobody asked for: the next answer could not be trusted
            self.pool.forget(self)
            self.abort()

    def eof_received(self) -> bool | None:
        self._eof = True
        if self._mode == IDLE:  # the transport closes, but not before others had their turn
            self.pool.forget(self)
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        mode, self._mode = self._mode, CLOSED
        exchange, self._exchange = self._exchange, None
        self._edge.wheel.clear(self)
        self.pool.lost(self, idle=mode == IDLE)
        if exchange is None:
            return
        if mode == UNTIL_CLOSE and exc is None and self._eof:
            exchange.relay_end()
            exchange.answered(self, keep=False)
        else:
            exchange.gateway_lost(self, reset=exc is not None)

    def pause_writing(self) -> None:
        self.is_write_paused = True
        if self._exchange is not None:
            self._exchange.gateway_paused()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        if self._exchange is not None:
            self._exchange.gateway_resumed()

    # -- what the exchange uses

    def begin(self, exchange: Exchange, request: bytes) -> None:
        """Send a request's head, and body bytes with it if there are some, and expect its answer."""
        self._exchange = exchange
        self._mode = HEAD
        self._interim = 0
        self.answered = False
        self.answer_closes = False
        self._transport.write(request)

    def write(self, data: bytes) -> None:
        if self._mode != CLOSED:
            self._transport.write(data)

    def writelines(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._mode != CLOSED:
            self._transport.writelines(pieces)

    def pause_reading(self) -> None:
        """The client reads too slowly for more of the answer."""
        if self._mode != CLOSED and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and self._mode != CLOSED:
            self._paused = False
            self._transport.resume_reading()

    def put_back(self, now: float) -> None:
        """Back to the pool, until the next exchange or for the idle time; closed where there is no room or no use."""
        endpoint = self.endpoint
        endpoint.in_flight -= 1
        idle = endpoint.idle
        if (
            self.is_write_paused  # a gateway that answers without reading; nothing would hold the next upload back
            or not endpoint.wanted
            or self._mode == CLOSED
            or len(idle) >= self.pool.idle_max
        ):
            self.close()
            return
        self.reused = True
        if self._paused:  # the last client was slow
            self.resume_reading()
        idle[self] = None
        if endpoint.health.failures or endpoint.health.ejections:
            self.pool.succeeded(endpoint)
        deadline = now + self._edge.limits.gateway_idle_seconds
        if deadline >= self.looked_at:
            self.deadline = deadline
        else:
            self._edge.wheel.set(self, deadline)

    def close(self) -> None:
        """Flush and close; for a tunnel whose client has gone, and for idle connections."""
        self._exchange = None
        if self._mode != CLOSED:
            self._transport.close()
            if self._transport.get_write_buffer_size():  # a gateway that doesn't read must not keep it open
                self._edge.wheel.set(self, monotonic() + self._edge.limits.flush_seconds)

    def abort(self) -> None:
        """Drop the connection with whatever is in it; the gateway sees a body that is not complete."""
        self._exchange = None
        if self._mode != CLOSED:
            self._transport.abort()

    def expired(self, now: float) -> None:
        """Idle for too long: closed before the gateway closes it under a request. Closed and never flushed: dropped."""
        if self._transport.is_closing():
            self.abort()
        elif self._mode == IDLE:
            self.pool.forget(self)
            self.close()
        else:
            self._edge.wheel.set(self, now + self._edge.limits.gateway_idle_seconds)

    # -- reading an answer

    def _read_head(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        self.answered = True
        end = data.find(b"\r\n\r\n") + 4
        if (end if end > 3 else len(data)) > self._edge.limits.gateway_head_bytes_max:
            self._fail("The gateway's response head is too long.")
            return
        if end == 3:
            self._buffer = data
            return
        exchange = self._exchange
        assert exchange is not None
        try:
            known = self._edge.answers.find(data[:end])
        except EntryError as error:
            self.abort()
            exchange.fail(error)
            return
        if known.head.status < 200:
            self._read_interim(exchange, known, data[end:])
        else:
            self._begin_body(exchange, known, data[end:])

    def _read_interim(self, exchange: Exchange, known: KnownAnswer, rest: bytes) -> None:
        if known.head.status == 101:
            self._mode = TUNNEL
            if not exchange.switch_protocols(known):
                self._fail("The gateway switched protocols unasked, or to something else.")
            elif rest and exchange.tunnel is not None:
                exchange.tunnel.down(rest)
            return
        self._interim += 1
        if self._interim > _INTERIM_ANSWERS_MAX:
            self._fail("The gateway sends interim answers without end.")
            return
        exchange.relay_interim(known)
        if rest and self._mode == HEAD:
            self._read_head(rest)

    def _begin_body(self, exchange: Exchange, known: KnownAnswer, rest: bytes) -> None:
        head = known.head
        self._interim = 0
        self.answer_closes = head.connection_close
        if exchange.method == b"HEAD" or head.status in (204, 304):
            self._mode, self._left = LENGTH, 0
        elif head.chunked:
            limits = self._edge.limits
            self._decoder = ChunkedDecoder(
                chunk_line_bytes_max=limits.chunk_line_bytes_max, trailer_bytes_max=limits.trailer_bytes_max
            )
            self._mode = CHUNKED
        elif head.content_length is not None:
            self._mode, self._left = LENGTH, head.content_length
        else:
            self._mode = UNTIL_CLOSE
        exchange.relay_head(known)
        if self._exchange is not exchange:
            return
        if self._mode == LENGTH and not self._left:
            self._complete(clean=not rest)
        elif rest:
            self.data_received(rest)

    def _read_length(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        left = self._left - len(data)
        if left > 0:
            self._left = left
            exchange.relay_body((data,))
            return
        exchange.relay_body((data[:left] if left else data,))
        if self._exchange is exchange:
            self._complete(clean=left == 0)

    def _read_chunked(self, data: bytes) -> None:
        exchange, decoder = self._exchange, self._decoder
        assert exchange is not None and decoder is not None
        try:
            pieces = decoder.feed(data)
        except EntryError as error:
            self._fail(f"The gateway spoke nonsense. {error.detail}")
            return
        if pieces:
            exchange.relay_body(pieces)
        if decoder.done and self._exchange is exchange:
            self._decoder = None
            self._complete(clean=not decoder.rest, trailers=decoder.trailers)

    def _complete(self, *, clean: bool, trailers: bytes = b"") -> None:
        """The answer is whole; `clean` when no byte came after it."""
        exchange, self._exchange = self._exchange, None
        self._mode = IDLE
        assert exchange is not None
        exchange.relay_end(trailers)
        exchange.answered(self, keep=clean)

    def _fail(self, detail: str) -> None:
        exchange = self._exchange
        self.abort()
        if exchange is not None:
            exchange.fail(EntryError(502, "gateway_protocol", detail, source=Source.GATEWAY))
