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
    """All claims, by tenant and by host with its owner, so that a change of one claim costs the size of that one, and
    a change of owner that of its contenders: thousands may ask for one host by mistake."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, Claim] = {}
        self._by_host: dict[str, dict[str, Claim]] = {}
        self._owners: dict[str, Claim] = {}

    def replace(self, tenant: str, claim: Claim | None) -> set[str]:
        """This is what `tenant` asks for now; the other tenants that win or lose a host by it, or learn of another
        owner."""
        before = self._by_tenant.get(tenant)
        if before == claim:
            return set()
        asked = before.domains if before else ()
        wanted = frozenset(claim.domains) if claim else frozenset()
        if claim is None:
            del self._by_tenant[tenant]
        else:
            self._by_tenant[tenant] = claim
        affected: set[str] = set()
        for host in dict.fromkeys((*asked, *wanted)):
            if self._contest(host, tenant, claim if host in wanted else None):
                affected |= self._by_host[host].keys()
        return affected - {tenant}

    def lost_by(self, tenant: str) -> Lost:
        """What `tenant` asks for and doesn't get."""
        claim = self._by_tenant.get(tenant)
        owners = ((host, self._owners[host]) for host in (claim.domains if claim else ()))
        return tuple(sorted((host, one.tenant, one.reference) for host, one in owners if one.tenant != tenant))

    def _contest(self, host: str, tenant: str, claim: Claim | None) -> bool:
        """`tenant` asks for `host` by this claim, or no more; whether it comes to another owner, or another object of
        the same one."""
        contenders = self._by_host.setdefault(host, {})
        before = self._owners.get(host)
        if claim is not None:
            contenders[tenant] = claim
        else:
            del contenders[tenant]
        if not contenders:
            del self._by_host[host], self._owners[host]
            return False
        if claim is not None and (before is None or claim.precedence <= before.precedence):
            owner = claim
        elif before is None or before.tenant == tenant:
            owner = min(contenders.values(), key=lambda one: one.precedence)
        else:
            owner = before
        self._owners[host] = owner
        return before is None or (owner.tenant, owner.reference) != (before.tenant, before.reference)
