"""The whole configuration in force, immutable, and the change from one to the next.

A worker holds one reference to a Snapshot and swaps it. A `Change` names what differs by whole tenants, so a change
of one tenant costs the size of that tenant plus a shallow copy of the indexes, and unchanged tenants stay the same
objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from entryproxy.model.certificate import Certificate
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import CONFIG_MAP, SECRET
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
        base = Snapshot(0, Platform(system_domain=""), {}, {}, {}) if change.whole else self
        platform = change.platform or self.platform
        tenants, owners, certificates = dict(base.tenants), dict(base.owners), dict(base.certificates)
        leaving: list[Certificate] = []
        coming = [one for tenant in change.tenants for one in tenant.certificates]
        if platform is not base.platform:
            leaving += base.platform.certificates
            coming += platform.certificates
        for key in (*change.removed, *(tenant.id for tenant in change.tenants)):
            old = tenants.pop(key, None)
            if old is not None:
                leaving += old.certificates
                for host in old.domains:
                    owners.pop(host, None)
        for tenant in change.tenants:
            tenants[tenant.id] = tenant
            owners.update(dict.fromkeys(tenant.domains, tenant.id))
        _reindex(certificates, leaving, coming)
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

    @property
    def references(self) -> Iterator[str]:
        """Of the ConfigMaps and Secrets that all this came of, as in `model.objects`."""
        yield f"{CONFIG_MAP} {self.platform.source}"
        yield from (f"{SECRET} {one.source}" for one in self.platform.certificates)
        for tenant in self.tenants.values():
            yield f"{CONFIG_MAP} {tenant.source}"
            yield from (f"{SECRET} {one.source}" for one in tenant.certificates)

    def __repr__(self) -> str:
        return f"<Snapshot {self.generation}: {len(self.tenants)} tenants of {self.platform.system_domain}>"


def _reindex(
    index: dict[str, tuple[Certificate, ...]], leaving: Iterable[Certificate], coming: Iterable[Certificate]
) -> None:
    """Each name is sorted once, however many tenants carry it: thousands may have a copy of one wildcard."""
    gone = {id(one) for one in leaving}
    changed: dict[str, list[Certificate]] = {name: [] for one in leaving for name in one.names}
    for one in coming:
        for name in one.names:
            changed.setdefault(name, []).append(one)
    for name, found in changed.items():
        found += (one for one in index.get(name, ()) if id(one) not in gone)
        if found:
            index[name] = tuple(sorted(found, key=lambda one: (-one.not_after, one.source)))
        else:
            index.pop(name, None)
