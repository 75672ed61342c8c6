"""The addresses of one tenant's gateway: which there are, what is open to each, and which is next."""

from __future__ import annotations

import itertools
import random
from collections.abc import Container, Iterable, Iterator
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.routing.balance import Arrangement, Candidate, arrange
from entryproxy.telemetry.access_line import json_text

if TYPE_CHECKING:
    from entryproxy.edge.upstream import GatewayConnection
    from entryproxy.model.tenant import GatewayEndpoint
    from entryproxy.settings import EdgeLimits


_OUTDATED: Arrangement[Endpoint] = Arrangement((), (), (), -inf, 0.0)  # for whoever needs one next to work it out


class Endpoint(Candidate):
    """One address with its idle connections (newest last) and how many are open.

    text: the address for the access log. wanted: connections to it are kept when their exchange is done.
    """

    __slots__ = ("address", "idle", "open", "text", "wanted")

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.text = json_text(address)
        self.wanted = True
        self.idle: dict[GatewayConnection, None] = {}
        self.open = 0

    def let_go(self) -> None:
        """Close what is idle, and soon what is not: exchanges under way end as they would."""
        self.wanted = False
        for connection in list(self.idle):
            connection.close()
        self.idle.clear()


class GatewayEndpoints:
    """All endpoints of a gateway. An address that stays keeps its Endpoint, whatever happens to the others.

    only: the one there is, None when there are several or none; it needs no choice. open: connections to all of
    them, and to those that were dropped.
    """

    __slots__ = ("_arrangement", "_by_address", "_limits", "_turns", "_zone", "only", "open")

    def __init__(self, limits: EdgeLimits, zone: str) -> None:
        self._limits = limits
        self._zone = zone
        self._by_address: dict[str, Endpoint] = {}
        self._arrangement = _OUTDATED
        # From anywhere: with few requests each, all workers of all pods would begin with the same address.
        self._turns = itertools.count(random.getrandbits(16))
        self.only: Endpoint | None = None
        self.open = 0

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._by_address.values())

    def __len__(self) -> int:
        return len(self._by_address)

    def replace(self, wanted: Iterable[GatewayEndpoint]) -> None:
        """From now on these, the first `gateway_endpoints_max`: a change costs every tenant of the worker the time that
        it takes. What is idle at an address that goes or drains is closed; what is in use ends first.

        One that comes to others starts slowly; when all are new nobody else could take what they don't.
        """
        old, new = self._by_address, {}
        for one in itertools.islice(wanted, self._limits.gateway_endpoints_max):
            endpoint = new[one.address] = old.get(one.address) or Endpoint(one.address)
            endpoint.zone, endpoint.for_zones, endpoint.draining = one.zone, one.for_zones, one.draining
            endpoint.wanted = not one.draining
        self._by_address = new
        if not old.keys().isdisjoint(new):
            now = monotonic()
            for address in new.keys() - old:
                new[address].joined = now
        for address, endpoint in old.items():
            if address not in new or endpoint.draining:
                endpoint.let_go()
        self.only = next(iter(new.values())) if len(new) == 1 else None
        self._arrangement = _OUTDATED

    def let_go(self) -> None:
        """Nobody begins anything here any more, but what is under way may still dial."""
        for endpoint in self:
            endpoint.let_go()

    def pick(self) -> Endpoint | None:
        """Who gets the next request, in constant time unless something has changed; None when there are none."""
        now = monotonic()
        if now >= self._arrangement.until:
            self._arrange(now)
        return self._arrangement.pick(next(self._turns), now)

    def pick_other(self, tried: Container[Endpoint]) -> Endpoint | None:
        """Who is tried after `tried`; None when nobody is left."""
        self._arrange(monotonic())
        return self._arrangement.pick_other(tried, next(self._turns))

    def failed(self, endpoint: Endpoint) -> None:
        """It refused a connection or broke off before any answer."""
        limits = self._limits
        if endpoint.health.failed(
            monotonic(), limits.ejection_failures, limits.ejection_base_seconds, limits.ejection_seconds_max
        ):
            self._arrangement = _OUTDATED

    def succeeded(self, endpoint: Endpoint) -> None:
        """It answered."""
        was_ejected = endpoint.health.ejections > 0
        endpoint.health.succeeded()
        if was_ejected:
            self._arrangement = _OUTDATED

    def _arrange(self, now: float) -> None:
        endpoints = list(self._by_address.values())
        self._arrangement = arrange(endpoints, self._zone, now, self._limits.slow_start_seconds)
