"""The names among a gateway's addresses, followed to what they resolve to."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import logging
import random
from collections.abc import Iterable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.edge.deadlines import Timed
from entryproxy.edge.resolver import ResolveError
from entryproxy.model.tenant import GatewayEndpoint
from entryproxy.tasks import spawn

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.endpoints import GatewayEndpoints

_log = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class _Name:
    """What a name resolved to, until when that holds (time.monotonic), and how many look-ups have failed since."""

    addresses: tuple[str, ...] = ()
    until: float = 0.0
    failures: int = 0


class GatewayNames(Timed):
    """Keeps a gateway's endpoints up to date with its addresses, "host:port" each.

    A name is looked up again when its time to live is over: before the next dial, and without being asked while
    connections are open. While look-ups fail, what was known stays, for as long as it takes. Names that nobody uses
    cost nothing, and are forgotten with the addresses.
    """

    __slots__ = ("_addresses", "_edge", "_endpoints", "_known", "_looking", "_until")

    def __init__(self, edge: EdgeContext, endpoints: GatewayEndpoints) -> None:
        super().__init__()
        self._edge = edge
        self._endpoints = endpoints
        self._addresses: tuple[str, ...] = ()
        self._known: dict[str, _Name] = {}
        self._until = inf
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._addresses)

    def follow(self, addresses: tuple[str, ...]) -> None:
        """From now on these; literals and names that stay are endpoints at once, the others after the next look-up."""
        self._addresses = addresses
        hosts = [host for host in map(_host, addresses) if not _is_literal(host)]
        self._known = {host: self._known.get(host) or _Name() for host in hosts}
        self._looking = None
        self._apply()

    def forget(self) -> None:
        """Follow nothing, and leave the endpoints alone."""
        self._addresses = ()
        self._known = {}
        self._until = inf
        self._looking = None
        self._edge.wheel.clear(self)

    async def refresh(self) -> None:
        """Before a dial: wait for look-ups that are due, unless they have failed before and something is known."""
        followed = None
        while followed is not self._addresses and (now := monotonic()) >= self._until:
            followed = self._addresses  # and once more if they are others afterwards
            looking = self._look_up_due()
            if self._endpoints and all(name.failures for name in self._known.values() if name.until <= now):
                return
            await asyncio.wait([looking])

    def expired(self, now: float) -> None:
        """What is known is old: look again while somebody uses it, else at the next dial."""
        if self._endpoints.open:
            self._look_up_due()

    def _look_up_due(self) -> asyncio.Task[None]:
        if self._looking is None:
            self._looking = spawn(self._look_up(), "resolve")
        return self._looking

    async def _look_up(self) -> None:
        now = monotonic()
        due = [host for host, name in self._known.items() if name.until <= now]
        try:
            if due:
                await asyncio.wait([spawn(self._look_up_one(host), "resolve") for host in due])
        finally:
            is_current = self._looking is asyncio.current_task()  # else other addresses are followed by now
            if is_current:
                self._looking = None
        if is_current:
            self._apply()

    async def _look_up_one(self, host: str) -> None:
        name = self._known[host]
        try:
            answer = await self._edge.resolver.look_up(host)
        except ResolveError as error:
            self._wait_longer(name)
            if name.failures == 1:
                count = len(name.addresses)
                _log.warning("gateway name %s does not resolve (%s); %d known addresses stay", host, error, count)
            return
        if name.failures:
            _log.info("gateway name %s resolves again", host)
        name.failures = 0
        name.addresses = answer.addresses
        name.until = monotonic() + answer.ttl_seconds

    def _wait_longer(self, name: _Name) -> None:
        """Not all names of all pods at once, and ever less often: servers in trouble have enough to do. One that never
        resolved is only looked up for a request, and may be about to.
        """
        limits = self._edge.limits
        seconds = limits.resolve_retry_seconds
        if name.addresses:
            seconds = min(seconds * 2.0 ** min(name.failures, 32), limits.resolve_ttl_seconds_max)
        name.failures += 1
        name.until = monotonic() + seconds * random.uniform(0.5, 1.5)  # noqa: S311

    def _apply(self) -> None:
        self._endpoints.replace(GatewayEndpoint(address=address) for address in self._resolved())
        self._until = min((name.until for name in self._known.values()), default=inf)
        if 0 < self._until < inf:
            self._edge.wheel.set(self, self._until)

    def _resolved(self) -> Iterable[str]:
        """Each "ip:port" once, in the order of the addresses."""
        resolved: dict[str, None] = {}
        for address in self._addresses:
            host, _, port = address.rpartition(":")
            name = self._known.get(host)
            if name is None:
                resolved[address] = None
            else:
                resolved.update(
                    dict.fromkeys(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in name.addresses)
                )
        return resolved


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
