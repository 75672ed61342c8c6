"""Who the client is: for the gateway's fields and for the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entryproxy.telemetry.access_line import ConnectionText

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext


class Client:
    """The peer of a connection, or whom its PROXY header names; a trusted proxy may speak for another in each request.

    lines: X-Forwarded-For and X-Real-IP for the gateway. text: client and TLS version for the access log.
    """

    __slots__ = ("_address", "_edge", "_tls_version", "lines", "text")

    def __init__(self, edge: EdgeContext, address: str, tls_version: str) -> None:
        self._edge = edge
        self._address = address
        self._tls_version = tls_version or None
        octets = address.encode()
        self.lines = b"X-Forwarded-For: %b\r\nX-Real-IP: %b\r\n" % (octets, octets)
        self.text = ConnectionText(client=address, tls_version=self._tls_version)

    def lines_behind(self, forwarded_for: bytes) -> bytes:
        """The lines with a trusted proxy's X-Forwarded-For, itself appended; X-Real-IP is the nearest address not
        trusted.
        """
        if not forwarded_for:
            return self.lines
        return b"X-Forwarded-For: %b, %b\r\nX-Real-IP: %b\r\n" % (
            forwarded_for,
            self._address.encode(),
            self._behind(forwarded_for).encode(),
        )

    def text_behind(self, forwarded_for: bytes) -> ConnectionText:
        """The log's view of the client that a trusted proxy names."""
        if not forwarded_for:
            return self.text
        return ConnectionText(client=self._behind(forwarded_for), tls_version=self._tls_version)

    def _behind(self, forwarded_for: bytes) -> str:
        return self._edge.real_client(forwarded_for.decode("latin-1"), self._address)
