"""Why a client is not read for now; it is read again when no reason is left (backpressure towards the client)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entryproxy.edge.transport import ClientTransport

GATEWAY = 1
"""The gateway takes no more of a body, or is not connected yet."""
PIPELINE = 2
"""More requests wait than are kept."""
WRITER = 4
"""The client doesn't read its answers: their size is not bounded by that of its requests, so it gets no more made."""


class ReadingHold:
    """A set of reasons over `transport.pause_reading`."""

    __slots__ = ("_link", "reasons")

    def __init__(self, link: ClientTransport) -> None:
        self._link = link
        self.reasons = 0

    def add(self, reason: int) -> None:
        self._become(self.reasons | reason)

    def drop(self, reason: int) -> None:
        self._become(self.reasons & ~reason)

    def drop_all(self) -> None:
        self._become(0)

    def _become(self, reasons: int) -> None:
        if bool(reasons) != bool(self.reasons):
            if reasons:
                self._link.pause_reading()
            else:
                self._link.resume_reading()
        self.reasons = reasons
