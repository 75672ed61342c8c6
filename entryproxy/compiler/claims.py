"""One owner per custom host: the oldest claim keeps it, and a later one never disturbs the owner (routing rule 3)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

Precedence = tuple[str, str, str]
"""creationTimestamp, namespace, name: the lower one is the older claim."""


class Claim(msgspec.Struct, frozen=True):
    """The custom hosts that one tenant's ConfigMap asks for. reference: that object, for findings."""

    tenant: str
    precedence: Precedence
    reference: str
    domains: tuple[str, ...]


Lost = tuple[tuple[str, str, str], ...]
"""Hosts that a tenant doesn't get: (host, owning tenant, owning object), sorted."""


def resolve(claims: Iterable[Claim]) -> dict[str, Lost]:
    """What each losing tenant lost; tenants that keep all they ask for are not in it."""
    owner: dict[str, Claim] = {}
    losers: dict[str, list[Claim]] = {}
    for claim in claims:
        for host in claim.domains:
            other = owner.setdefault(host, claim)
            if other is claim:
                continue
            older, later = (claim, other) if claim.precedence < other.precedence else (other, claim)
            owner[host] = older
            losers.setdefault(host, []).append(later)
    lost: dict[str, list[tuple[str, str, str]]] = {}
    for host in sorted(losers):
        winner = owner[host]
        for loser in losers[host]:
            lost.setdefault(loser.tenant, []).append((host, winner.tenant, winner.reference))
    return {tenant: tuple(hosts) for tenant, hosts in lost.items()}
