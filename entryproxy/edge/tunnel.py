"""Bytes after an upgrade: a tunnel between client and gateway (RFC 9110 §7.8), and how a WebSocket is told to go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from entryproxy.edge.policy import is_websocket

if TYPE_CHECKING:
    from entryproxy.edge.exchange import Exchange
    from entryproxy.edge.heads import KnownAnswer
    from entryproxy.edge.upstream import GatewayConnection

_GOING_AWAY = b"\x88\x02\x03\xe9"  # an unmasked Close frame with status 1001 (RFC 6455 §5.5.1, §7.4.1)


def open_tunnel(exchange: Exchange, connection: GatewayConnection, known: KnownAnswer) -> Tunnel:
    """Pass on the gateway's 101, which is what the client asked for; from here on bytes are just bytes."""
    protocol = known.head.upgrade or b""
    data = b"%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % (known.start, protocol)
    exchange.sent += len(data)
    exchange.http.link.write(data)
    return Tunnel(exchange, connection, websocket=is_websocket(protocol))


class Tunnel:
    """Passes bytes both ways as they come, as long as they come."""

    __slots__ = ("_connection", "_exchange", "_frames", "_leaving", "_link", "_told")

    def __init__(self, exchange: Exchange, connection: GatewayConnection, *, websocket: bool) -> None:
        self._exchange = exchange
        self._link = exchange.http.link
        self._connection = connection
        self._frames = FrameBoundaries() if websocket else None
        self._leaving = False
        self._told = False

    def up(self, data: bytes) -> None:
        """Client to gateway."""
        self._connection.write(data)
        self._exchange.received += len(data)
        self._moved()

    def down(self, data: bytes) -> None:
        """Gateway to client."""
        self._moved()
        if self._told:
            return  # nothing may follow a Close frame
        if self._frames is not None:
            self._frames.feed(data)
        self._link.write(data)
        self._exchange.sent += len(data)
        if self._leaving:
            self._tell()

    def _moved(self) -> None:
        self._exchange.http.set_deadline(self._exchange.timeouts.idle)

    def drain(self) -> None:
        """The pod is going: a WebSocket client gets a Close frame at the next frame boundary and may come back
        elsewhere.
        """
        self._leaving = True
        self._tell()

    def _tell(self) -> None:
        if self._frames is not None and self._frames.at_boundary and not self._told:
            self._told = True
            self._link.write(_GOING_AWAY)


class FrameBoundaries:
    """Follows WebSocket frames just far enough to know where one ends (RFC 6455 §5.2). Pure: bytes in, a flag out."""

    __slots__ = ("_header", "_payload_left")

    def __init__(self) -> None:
        self._header = b""
        self._payload_left = 0

    @property
    def at_boundary(self) -> bool:
        return not self._header and not self._payload_left

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            if self._payload_left:
                step = min(self._payload_left, len(data) - position)
                self._payload_left -= step
                position += step
                continue
            if not self._header:
                small = _match_small_frames(data, position)
                if small is not None:
                    position = small.end()
                    continue
            missing = _header_bytes(self._header) - len(self._header)
            self._header += data[position : position + missing]
            position += missing
            if len(self._header) >= 2 and len(self._header) == _header_bytes(self._header):
                self._payload_left = _payload_bytes(self._header)
                self._header = b""


# Whole unmasked frames of a few octets, run by run: one by one they would cost a hundred times what their bytes do.
_match_small_frames = re.compile(
    b"(?:" + b"|".join(b".\\x%02x.{%d}" % (n, n) for n in range(8)) + b")++", re.DOTALL
).match


def _header_bytes(header: bytes) -> int:
    """Length of a frame's header, as far as it is known."""
    if len(header) < 2:
        return 2
    length = header[1] & 0x7F
    return 2 + {126: 2, 127: 8}.get(length, 0) + (4 if header[1] & 0x80 else 0)


def _payload_bytes(header: bytes) -> int:
    length = header[1] & 0x7F
    if length == 126:
        return int.from_bytes(header[2:4])
    if length == 127:
        return int.from_bytes(header[2:10])
    return length
