"""One owner per custom host: the oldest claim keeps it, and a later one never disturbs the owner (routing rule 3)."""

from __future__ import annotations

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


class Claims:
    """All claims, by tenant and by host, so that a change of one costs the size of that one."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, Claim] = {}
        self._by_host: dict[str, dict[str, Claim]] = {}

    def replace(self, tenant: str, claim: Claim | None) -> set[str]:
        """This is what `tenant` asks for now; the other tenants that may win or lose a host by it."""
        before = self._by_tenant.get(tenant)
        if before == claim:
            return set()
        affected: set[str] = set()
        for host in before.domains if before else ():
            contenders = self._by_host[host]
            del contenders[tenant]
            affected |= contenders.keys()
            if not contenders:
                del self._by_host[host]
        if claim is None:
            self._by_tenant.pop(tenant, None)
            return affected
        self._by_tenant[tenant] = claim
        for host in claim.domains:
            contenders = self._by_host.setdefault(host, {})
            affected |= contenders.keys()
            contenders[tenant] = claim
        return affected

    def lost_by(self, tenant: str) -> Lost:
        """What `tenant` asks for and doesn't get."""
        claim = self._by_tenant.get(tenant)
        lost = []
        for host in claim.domains if claim else ():
            owner = min(self._by_host[host].values(), key=lambda one: one.precedence)
            if owner.tenant != tenant:
                lost.append((host, owner.tenant, owner.reference))
        return tuple(sorted(lost))
