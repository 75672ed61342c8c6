"""The whole configuration in force, immutable, and the change from one to the next.

A worker holds one reference to a Snapshot and swaps it. A `Change` names what differs by whole tenants, so a change
of one tenant costs the size of that tenant plus a shallow copy of the indexes, and unchanged tenants stay the same
objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from entryproxy.model.certificate import Certificate
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.tenant import Platform, Tenant


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """From one snapshot to the next: the platform if it changed, tenants added or changed, ids removed.

    whole: start from nothing, for a worker that has just connected.
    """

    generation: int
    whole: bool = False
    platform: Platform | None = None
    tenants: tuple[Tenant, ...] = ()
    removed: tuple[str, ...] = ()


class Snapshot:
    """Platform, tenants by id, and the indexes that routing reads.

    owners: custom host or "*.wildcard" → tenant id. certificates: SAN → the certificates that carry it, of every
    owner, the one that expires last first. Both are derived; only `platform` and `tenants` are state.
    """

    __slots__ = ("certificates", "generation", "owners", "platform", "tenants")

    def __init__(
        self,
        generation: int,
        platform: Platform,
        tenants: Mapping[str, Tenant],
        owners: Mapping[str, str],
        certificates: Mapping[str, tuple[Certificate, ...]],
    ) -> None:
        self.generation = generation
        self.platform = platform
        self.tenants = tenants
        self.owners = owners
        self.certificates = certificates

    @classmethod
    def build(cls, platform: Platform, tenants: Iterable[Tenant] = (), generation: int = 1) -> Snapshot:
        """A snapshot from nothing."""
        empty = cls(0, Platform(system_domain=platform.system_domain), {}, {}, {})
        return empty.apply(Change(generation=generation, platform=platform, tenants=tuple(tenants)))

    def apply(self, change: Change) -> Snapshot:
        """The snapshot after `change`; this one stays as it is for the requests that hold it."""
        tenants = dict(self.tenants)
        owners = dict(self.owners)
        certificates = dict(self.certificates)
        platform = change.platform or self.platform
        if change.whole:
            tenants, owners, certificates = {}, {}, {}
            _index_certificates(certificates, (), platform.certificates)
        else:
            _index_certificates(certificates, self.platform.certificates, platform.certificates)
        gone = [tenants.pop(key, None) for key in (*change.removed, *(tenant.id for tenant in change.tenants))]
        for old in gone:
            if old is not None:
                for host in old.domains:
                    owners.pop(host, None)
                _index_certificates(certificates, old.certificates, ())
        for tenant in change.tenants:
            tenants[tenant.id] = tenant
            for host in tenant.domains:
                owners[host] = tenant.id
            _index_certificates(certificates, (), tenant.certificates)
        return Snapshot(change.generation, platform, tenants, owners, certificates)

    def difference(self, newer: Snapshot) -> Change:
        """What leads from this snapshot to `newer`; `apply` is its inverse."""
        mine = self.tenants
        return Change(
            generation=newer.generation,
            platform=None if newer.platform == self.platform else newer.platform,
            tenants=tuple(one for key, one in newer.tenants.items() if mine.get(key) != one),
            removed=tuple(key for key in self.tenants if key not in newer.tenants),
        )

    def as_change(self) -> Change:
        """This snapshot for a worker that has none."""
        return Change(
            generation=self.generation, whole=True, platform=self.platform, tenants=tuple(self.tenants.values())
        )

    def certificates_of(self, owner: str) -> tuple[Certificate, ...]:
        """The certificates of a tenant id or of "system"."""
        if owner == SYSTEM:
            return self.platform.certificates
        tenant = self.tenants.get(owner)
        return tenant.certificates if tenant else ()

    def __repr__(self) -> str:
        return f"<Snapshot {self.generation}: {len(self.tenants)} tenants of {self.platform.system_domain}>"


def _index_certificates(
    index: dict[str, tuple[Certificate, ...]], old: tuple[Certificate, ...], new: tuple[Certificate, ...]
) -> None:
    if old is new:
        return
    for certificate in old:
        for name in certificate.names:
            left = tuple(one for one in index.get(name, ()) if one is not certificate and one != certificate)
            if left:
                index[name] = left
            else:
                index.pop(name, None)
    for certificate in new:
        for name in certificate.names:
            index[name] = tuple(
                sorted((*index.get(name, ()), certificate), key=lambda one: (-one.not_after, one.source))
            )
