"""Which peers may speak for others: `trustedProxies`, and the client behind them (nginx's realip, recursive)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


class TrustedProxies:
    """CIDRs whose X-Forwarded-* fields and PROXY headers are believed."""

    __slots__ = ("_networks", "contains")

    def __init__(self, cidrs: tuple[str, ...]) -> None:
        self._networks = tuple(ipaddress.ip_network(cidr, strict=False) for cidr in cidrs)
        self.contains = lru_cache(maxsize=4_096)(self._contains)

    def _contains(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None)
        return any((mapped or ip) in network for network in self._networks)

    def client_behind(self, forwarded_for: str, peer: str) -> str:
        """The nearest address in X-Forwarded-For, from the right, that no trusted proxy has; `peer` when there is
        none.
        """
        client = peer
        for entry in reversed(forwarded_for.split(",")):
            candidate = _address_of(entry.strip())
            if candidate is None:
                break
            client = candidate
            if not self.contains(candidate):
                break
        return client


def _address_of(text: str) -> str | None:
    """An entry's IP address without port or brackets; None when it is none, or has a zone, which may hold anything."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if "%" in text:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
