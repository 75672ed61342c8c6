"""Gateway names to addresses, remembered for a while; what was known stays when a later look-up fails."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket

_log = logging.getLogger(__name__)


class Resolver:
    """Resolves "host:port" by the system's resolver. IP literals need no look-up and are never forgotten."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ttl_seconds: float) -> None:
        self._loop = loop
        self._ttl_seconds = ttl_seconds
        self._known: dict[str, tuple[float, list[str]]] = {}

    async def resolve(self, address: str) -> list[str]:
        """The "ip:port" of each address behind `address`, in the resolver's order; [] when it never resolved."""
        host, _, port = address.rpartition(":")
        if _is_literal(host):
            return [address]
        until, known = self._known.get(address, (0.0, []))
        if self._loop.time() < until:
            return known
        try:
            found = await self._loop.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that IDNA refuses
            _log.warning("gateway name %s does not resolve (%s); %d known addresses stay", host, error, len(known))
            result = known
        else:
            result = list(dict.fromkeys(_text(entry[4][0], port) for entry in found))
        self._known[address] = (self._loop.time() + self._ttl_seconds, result)
        return result


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _text(ip: str | int, port: str) -> str:
    return f"[{ip}]:{port}" if ":" in str(ip) else f"{ip}:{port}"
