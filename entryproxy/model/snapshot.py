"""The whole configuration in force, immutable, and the change from one to the next.

A `Change` names what differs by whole tenants, and the maps of two snapshots share all the rest (immutables.Map, a hash
array mapped trie), so a change costs the size of its tenants however many others there are. Workers follow in place,
see routing.table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from immutables import Map, MapMutation

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
    """Platform, tenants by id, and the index that routing reads.

    owners: custom host or "*.wildcard" → tenant id; derived. Certificates need no index: those that may answer for a
    name are its owner's few.
    """

    __slots__ = ("generation", "owners", "platform", "tenants")

    def __init__(
        self,
        generation: int,
        platform: Platform,
        tenants: Map[str, Tenant],
        owners: Map[str, str],
    ) -> None:
        self.generation = generation
        self.platform = platform
        self.tenants = tenants
        self.owners = owners

    @classmethod
    def build(cls, platform: Platform, tenants: Iterable[Tenant] = (), generation: int = 1) -> Snapshot:
        """A snapshot from nothing."""
        empty = cls(0, Platform(system_domain=platform.system_domain), Map(), Map())
        return empty.apply(Change(generation=generation, platform=platform, tenants=tuple(tenants)))

    def apply(self, change: Change) -> Snapshot:
        """The snapshot after `change`; this one stays as it is for whoever holds it."""
        base = Snapshot(0, self.platform, Map(), Map()) if change.whole else self
        tenants, owners = base.tenants.mutate(), base.owners.mutate()
        exchange(tenants, owners, change.removed, change.tenants)
        return Snapshot(change.generation, change.platform or base.platform, tenants.finish(), owners.finish())

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


def exchange(
    tenants: dict[str, Tenant] | MapMutation[str, Tenant],
    owners: dict[str, str] | MapMutation[str, str],
    removed: Iterable[str],
    coming: Sequence[Tenant],
) -> None:
    """Bring tenants and the owners of their hosts up to date, all that leave before any that come: a host may move."""
    for key in (*removed, *(tenant.id for tenant in coming)):
        old = tenants.pop(key, None)
        for host in old.domains if old is not None else ():
            owners.pop(host, None)
    for tenant in coming:
        tenants[tenant.id] = tenant
        for host in tenant.domains:
            owners[host] = tenant.id
