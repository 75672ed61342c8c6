"""A request's body on its way to the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entryproxy.errors import EntryError
from entryproxy.http1.chunked import encode_chunk, last_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entryproxy.edge.upstream import GatewayConnection


class Upload:
    """Frames body bytes for the gateway and holds them while there is no connection yet.

    Held bytes are bounded by pausing the client, so that they are at most what one read brought. The framing is the
    client's kind (length or chunked) but never the client's bytes: extensions don't travel, and a length is counted.
    """

    __slots__ = ("_bytes_max", "_chunked", "_connection", "_held", "forwarded_bytes")

    def __init__(self, *, chunked: bool, bytes_max: int) -> None:
        """bytes_max: the tenant's limit, 0 for none."""
        self._chunked = chunked
        self._bytes_max = bytes_max
        self._connection: GatewayConnection | None = None
        self._held: list[bytes | memoryview] = []
        self.forwarded_bytes = 0

    def attach(self, connection: GatewayConnection) -> None:
        """The gateway's connection is there and has the head; what was held follows."""
        self._connection = connection
        held, self._held = self._held, []
        if held:
            connection.writelines(held)

    def send(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Forward pieces of the body. Raises EntryError 413 when a chunked body grows over the limit."""
        for piece in pieces:
            self.forwarded_bytes += len(piece)
        if self._bytes_max and self.forwarded_bytes > self._bytes_max:
            raise body_too_large(self._bytes_max)
        if self._chunked:
            pieces = [buffer for piece in pieces for buffer in encode_chunk(piece)]
        self._pass(pieces)

    def end(self, trailers: bytes = b"") -> None:
        """The body is complete."""
        if self._chunked:
            self._pass((last_chunk(trailers),))

    def _pass(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._connection is not None:
            self._connection.writelines(pieces)
        else:
            self._held += pieces


def body_too_large(bytes_max: int) -> EntryError:
    """413; the rest of the body is not read, so the connection ends (RFC 9110 §15.5.14)."""
    return EntryError(413, "body_too_large", f"This tenant takes bodies of at most {bytes_max} bytes.", close=True)
