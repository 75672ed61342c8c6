"""A minimum rate for those whose slowness costs us: clients that dribble a body, or hardly read an answer that waits
for them.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.edge.deadlines import Timed
from entryproxy.errors import EntryError

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.exchange import Exchange
    from entryproxy.edge.http1 import Http1Connection


class Pace(Timed):
    """Looks at a connection once per grace period, from the first body that took more than one read on.

    A peer is judged only over a whole period in which nobody but it held things up. A stream that is silent because
    neither side has anything to say is the idle deadline's business, not ours.
    """

    __slots__ = ("_edge", "_exchange", "_http", "_received", "_sent", "_waited")

    def __init__(self, edge: EdgeContext, http: Http1Connection) -> None:
        super().__init__()
        self._edge = edge
        self._http = http
        self._exchange: Exchange | None = None
        self._note()
        edge.wheel.set(self, monotonic() + edge.limits.rate_grace_seconds)

    def stop(self) -> None:
        self._exchange = None
        self._edge.wheel.clear(self)

    def expired(self, now: float) -> None:
        limits, http = self._edge.limits, self._http
        exchange = http.exchange
        if exchange is not None and exchange is self._exchange:  # else it had no whole period yet
            needed = limits.rate_minimum_bytes_per_second * limits.rate_grace_seconds
            if self._waited and self._waits_for_body and exchange.received - self._received < needed:
                exchange.fail(EntryError(408, "slow_body", "The request's body arrives too slowly.", close=True))
                return
            if self._sent >= 0 and http.is_write_paused and self._delivered - self._sent < needed:
                self._edge.report.reject("slow_reader")
                exchange.client_gone("slow_reader")
                http.abort()
                return
        self._note()
        self._edge.wheel.set(self, now + limits.rate_grace_seconds)

    @property
    def _waits_for_body(self) -> bool:
        exchange = self._http.exchange
        return exchange is not None and exchange.is_waiting_for_client and not self._http.hold.reasons

    @property
    def _delivered(self) -> int:
        """Bytes of the exchange's answer that have left this process."""
        exchange = self._http.exchange
        return exchange.sent - self._http.link.unsent_bytes() if exchange is not None else 0

    def _note(self) -> None:
        exchange = self._exchange = self._http.exchange
        self._waited = self._waits_for_body
        self._received = exchange.received if exchange is not None else 0
        self._sent = self._delivered if exchange is not None and self._http.is_write_paused else -1
