"""A client's connection below HTTP: admission, PROXY header, plaintext in and out, and the ways to end.

`ClientTransport` is what port 80 uses as it is; `tls.TlsTransport` puts TLS in between. The HTTP side sees the same
few methods: `write`, `writelines`, `pause_reading`, `resume_reading` and four endings:

- `close()` flushes and says goodbye: the peer sees a complete end.
- `close_lingering()` also reads on for a while and throws it away, because closing a socket with unread bytes resets
  it and the reset may overtake the answer (RFC 9112 §9.6).
- `cut()` flushes and ends without a goodbye, so that what was sent does not look complete; plaintext, which has no
  goodbye, is reset.
- `abort()` drops everything at once.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from time import monotonic
from typing import TYPE_CHECKING, cast

from entryproxy.edge.deadlines import Timed
from entryproxy.preface.errors import PrefaceError
from entryproxy.preface.proxy_protocol import read_proxy_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.http1 import Http1Connection
    from entryproxy.edge.tenants import TenantState

PROXY, START, OPEN, LINGERING, CLOSING, CLOSED = range(6)
_PROXY_HEADER_BYTES_MAX = 8_192
_RESET = struct.pack("ii", 1, 0)  # struct linger: closing sends RST


class ClientTransport(Timed, asyncio.Protocol):
    """One accepted TCP connection; speaks plaintext HTTP until a subclass says otherwise."""

    __slots__ = (
        "_early",
        "_edge",
        "_http",
        "_lingered_bytes",
        "_stage",
        "_transport",
        "client",
        "tenant_state",
        "trusted",
    )

    secure = False
    tls_version = ""
    server_name = ""
    server_tenant: str | None = None
    """The tenant that the SNI led to ("" for none); None when Host alone decides."""

    _transport: asyncio.Transport

    def __init__(self, edge: EdgeContext) -> None:
        super().__init__()
        self._edge = edge
        self._http: Http1Connection | None = None
        self._stage = START
        self._early = b""
        self._lingered_bytes = 0
        self.client = ""
        self.trusted = False
        self.tenant_state: TenantState | None = None

    # -- protocol interface

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        edge = self._edge
        if not edge.admit(self):
            self._stage = CLOSED
            transport.abort()
            return
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if peer else ""
        self.trusted = edge.trusts(self.client)
        transport.set_write_buffer_limits(high=edge.limits.client_write_high_bytes)
        edge.wheel.set(self, monotonic() + edge.limits.handshake_seconds)
        if edge.proxy_protocol and self.trusted:
            self._stage = PROXY
        else:
            self._begin()

    def data_received(self, data: bytes) -> None:
        if self._stage == OPEN:
            self._http.data_received(data)  # type: ignore[union-attr]  # OPEN has it
        else:
            self._early_data(data)

    def eof_received(self) -> bool | None:
        if self._stage == OPEN and self._http is not None:
            self._http.eof_received()
            self.close()  # the transport would as well, but without a deadline
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stage == CLOSED and self._http is None:
            return
        self._stage = CLOSED
        self._edge.wheel.clear(self)
        self._edge.leave(self)
        http, self._http = self._http, None
        if http is not None:
            http.connection_lost()

    def pause_writing(self) -> None:
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        if self._http is not None:
            self._http.resume_writing()

    # -- what HTTP uses

    def write(self, data: bytes) -> None:
        """Send `data`; bytes written after the end are dropped."""
        if self._stage == OPEN:
            self._transport.write(data)

    def writelines(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Send pieces in order without joining large ones."""
        if self._stage == OPEN:
            self._transport.writelines(pieces)

    def pause_reading(self) -> None:
        if self._stage == OPEN:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._stage == OPEN:
            self._transport.resume_reading()

    def unsent_bytes(self) -> int:
        """What waits in the write buffer because the client does not read."""
        return self._transport.get_write_buffer_size() if self._stage < CLOSING else 0

    def close(self) -> None:
        if self._stage < CLOSING:
            self._goodbye()
            self._end()

    def close_lingering(self) -> None:
        if self._stage < LINGERING:
            self._goodbye()
            self._stage = LINGERING
            self._transport.resume_reading()
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._edge.wheel.set(self, monotonic() + self._edge.limits.linger_seconds)

    def cut(self) -> None:
        if self._stage < CLOSING:
            sock = None if self.secure else self._transport.get_extra_info("socket")
            if sock is not None:  # a plain end would make an answer without a length look complete
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._end()

    def abort(self) -> None:
        if self._stage < CLOSED:
            self._stage = CLOSING
            self._transport.abort()

    def drain(self) -> None:
        """The pod is going; a connection that has not begun yet may still send its one request."""
        if self._http is not None:
            self._http.drain()

    # -- Timed

    def expired(self, now: float) -> None:
        """The handshake, the lingering or the last flush took too long."""
        if self._stage in (PROXY, START):
            self._edge.report.reject("handshake_timeout")
        self.abort()

    # -- stages

    def _begin(self) -> None:
        """The client's address is known; plaintext HTTP starts here."""
        self._open()

    def _open(self) -> None:
        self._stage = OPEN
        self._edge.wheel.clear(self)
        self._http = self._edge.make_http1(self)

    def _goodbye(self) -> None:
        """Tell the peer that this is the end; plaintext has nothing to say."""

    def _end(self) -> None:
        self._stage = CLOSING
        self._edge.wheel.set(self, monotonic() + self._edge.limits.flush_seconds)
        self._transport.close()

    def _early_data(self, data: bytes) -> None:
        """Bytes that are not HTTP's: a PROXY header, or what a lingering close throws away."""
        if self._stage == PROXY:
            self._early += data
            self._read_proxy_header()
        elif self._stage == LINGERING:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > self._edge.limits.linger_bytes_max:
                self.abort()

    def _read_proxy_header(self) -> None:
        """HAProxy's PROXY protocol, believed because the socket's peer is a trusted proxy."""
        try:
            header = read_proxy_header(self._early)
        except PrefaceError:
            self._edge.report.reject("proxy_header")
            self.abort()
            return
        if header is None:
            if len(self._early) > _PROXY_HEADER_BYTES_MAX:
                self.abort()
            return
        rest, self._early = self._early[header.length :], b""
        if header.source is not None:
            self.client = header.source
            self.trusted = self._edge.trusts(header.source)
        self._begin()
        if rest and self._stage < CLOSING:
            self.data_received(rest)
