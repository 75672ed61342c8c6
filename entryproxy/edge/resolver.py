"""Names to addresses, asked of the DNS servers, search path and hosts file of the system, with the time to live.

c-ares does the work, in a thread of its own, since the system's getaddrinfo tells no time to live and would need a
thread for each look-up. What is found is the caller's to remember.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import aiodns
import pycares

from entryproxy.tasks import spawn

if TYPE_CHECKING:
    from entryproxy.settings import EdgeLimits

_TRY_SECONDS = 1.0  # until the next server, or the same again, is asked
_TRIES = 2
_CHANNEL_SECONDS = 1.0
"""How long a c-ares channel is used; a new one costs no more than a look-up. Each has a cache that pycares can't switch
off: it keeps an answer for up to an hour where its time to live allows it, an empty one always (c-ares issue 1293), and
takes 8 KB for a name that is searched for along a pod's search path."""
_NOSORT = 1 << 7  # ARES_AI_NOSORT: we have an order of our own (RFC 6724's takes a socket for each address)


class ResolveError(Exception):
    """A name has no address, or nobody says so in time; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The addresses of a name, IPv4 and IPv6, for so many seconds: at least one, without port and brackets. None is
    link-local: clouds have their metadata there, and whose name it is may make it lead anywhere."""

    addresses: tuple[str, ...]
    ttl_seconds: float


class Resolver:
    """One per worker. Looks names up, each once at a time however many ask."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: EdgeLimits, **options: Any) -> None:
        """options: of aiodns.DNSResolver, instead of what /etc/resolv.conf says: nameservers, domains, ndots."""
        self._loop = loop
        self._limits = limits
        self._options = options
        self._channel: aiodns.DNSResolver | None = None
        self._channel_until = 0.0
        self._asked: dict[str, asyncio.Future[pycares.AddrInfoResult]] = {}
        self._slots = asyncio.Semaphore(limits.resolve_concurrent_max)

    async def look_up(self, host: str) -> Answer:
        """Raises ResolveError, at the latest after `resolve_seconds`."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.resolve_seconds), self._slots:
                found = await asyncio.shield(self._ask(host))
        except TimeoutError:
            self._asked.pop(host, None)  # the next to want it asks anew
            raise ResolveError(f"no answer within {limits.resolve_seconds:g} s") from None
        except (aiodns.error.DNSError, pycares.AresError) as error:
            raise ResolveError(str(error.args[-1])) from error
        except (OSError, RuntimeError, UnicodeError) as error:  # no descriptor or thread left; not in IDNA's form
            raise ResolveError(str(error)) from error
        told = dict.fromkeys(node.addr[0].decode() for node in found.nodes)
        addresses = tuple(one for one in told if not _is_link_local(one))
        if not addresses:
            raise ResolveError("nothing but link-local addresses" if told else "an answer without addresses")
        ttl_seconds = min([node.ttl for node in found.nodes] + [alias.ttl for alias in found.cnames])
        return Answer(addresses, min(max(ttl_seconds, limits.resolve_ttl_seconds_min), limits.resolve_ttl_seconds_max))

    async def close(self) -> None:
        """Give up what is being looked up."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def _ask(self, host: str) -> asyncio.Future[pycares.AddrInfoResult]:
        future = self._asked.get(host)
        if future is None:
            future = self._open_channel().getaddrinfo(host, type=socket.SOCK_STREAM, flags=_NOSORT)
            self._asked[host] = future
            future.add_done_callback(functools.partial(self._answered, host))
        return future

    def _answered(self, host: str, future: asyncio.Future[pycares.AddrInfoResult]) -> None:
        if self._asked.get(host) is future:
            del self._asked[host]
        future.exception()  # seen, even if those who asked have gone

    def _open_channel(self) -> aiodns.DNSResolver:
        now = self._loop.time()
        if self._channel is None or now >= self._channel_until:
            if self._channel is not None:
                spawn(self._close_after(self._channel, list(self._asked.values())), "close channel")
            self._channel = aiodns.DNSResolver(loop=self._loop, timeout=_TRY_SECONDS, tries=_TRIES, **self._options)
            self._channel_until = now + _CHANNEL_SECONDS
        return self._channel

    async def _close_after(
        self, channel: aiodns.DNSResolver, asked: list[asyncio.Future[pycares.AddrInfoResult]]
    ) -> None:
        """End a channel once it has answered, or nobody waits for it any more."""
        if asked:
            await asyncio.wait(asked, timeout=self._limits.resolve_seconds)
        await channel.close()


def _is_link_local(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_link_local
