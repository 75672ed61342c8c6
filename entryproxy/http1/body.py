"""Where a request's body ends (RFC 9112 §6.3): by a length that was declared, or by the last chunk."""

from __future__ import annotations

from collections.abc import Sequence

from entryproxy.http1.chunked import ChunkedDecoder

Piece = memoryview | bytes


class RequestBody:
    """Takes one body apart as it arrives.

    done: it is complete. rest: what came after it. trailers: its trailer lines.
    """

    __slots__ = ("_decoder", "_left", "done", "rest", "trailers")

    def __init__(self, content_length: int | None, *, chunk_line_bytes_max: int, trailer_bytes_max: int) -> None:
        """content_length: octets, None for a chunked body."""
        self._left = content_length or 0
        self._decoder: ChunkedDecoder | None = None
        if content_length is None:
            self._decoder = ChunkedDecoder(
                chunk_line_bytes_max=chunk_line_bytes_max, trailer_bytes_max=trailer_bytes_max
            )
        self.done = False
        self.rest = b""
        self.trailers = b""

    def feed(self, data: bytes) -> Sequence[Piece]:
        """The payload in `data`. Raises EntryError 400 for chunks that are none."""
        decoder = self._decoder
        if decoder is None:
            left = self._left - len(data)
            if left < 0:
                self.rest = data[left:]
                data = data[:left]
            self._left = max(left, 0)
            self.done = left <= 0
            return (data,)
        pieces = decoder.feed(data)
        if decoder.done:
            self.done, self.rest, self.trailers = True, decoder.rest, decoder.trailers
        return pieces
