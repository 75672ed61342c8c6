"""An answer on its way to the client, where it is more than one buffer or needs another framing (RFC 9112 §6, §9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entryproxy.http1.chunked import encode_chunk, last_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entryproxy.edge.exchange import Exchange
    from entryproxy.edge.heads import KnownAnswer

LENGTH, CHUNKED, UNTIL_CLOSE, NO_BODY = range(4)


class AnswerRelay:
    """Renders the head for this client and frames the body; counts what it sends into `exchange.sent`."""

    __slots__ = ("_exchange", "_framing", "_link")

    def __init__(self, exchange: Exchange, known: KnownAnswer) -> None:
        self._exchange = exchange
        self._link = exchange.http.link
        self._framing = self._choose_framing(known)

    def _choose_framing(self, known: KnownAnswer) -> int:
        head, exchange = known.head, self._exchange
        if exchange.method == b"HEAD" or head.status in (204, 304):
            return NO_BODY
        if head.content_length is not None:
            return LENGTH
        return CHUNKED if exchange.minor else UNTIL_CLOSE

    def send_head(self, known: KnownAnswer) -> None:
        """The final head, with the framing that the body will have."""
        head, exchange = known.head, self._exchange
        framing = self._framing
        if framing == UNTIL_CLOSE:
            exchange.keep_alive = False
        lines = [known.start_with(exchange.hsts) if exchange.hsts else known.start]
        if not head.has_date:
            lines.append(b"Date: %b\r\n" % exchange.edge.http_date())
        if head.content_length is not None and head.status != 204:
            lines.append(b"Content-Length: %d\r\n" % head.content_length)
        elif framing == CHUNKED:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if not exchange.keep_alive:
            lines.append(b"Connection: close\r\n")
        elif not exchange.minor:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._send(b"".join(lines))

    def send_body(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._framing == CHUNKED:
            framed = [buffer for piece in pieces for buffer in encode_chunk(piece)]
            self._exchange.sent += sum(map(len, framed))
            self._link.writelines(framed)
        else:
            for piece in pieces:
                self._send(piece if isinstance(piece, bytes) else bytes(piece))

    def send_end(self, trailers: bytes) -> None:
        if self._framing == CHUNKED:
            self._send(last_chunk(trailers))

    def _send(self, data: bytes) -> None:
        self._exchange.sent += len(data)
        self._link.write(data)
