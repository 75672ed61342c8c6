"""What requests are routed by: the platform, its tenants, and who owns a host.

A Snapshot is such a table that never changes. A worker has a RoutingTable, which follows the newest snapshot in place:
nothing in a worker ever looks at an older one, and so a change makes no copies of indexes for the garbage collector to
walk (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from entryproxy.model.certificate import Certificate
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.snapshot import Change, exchange
from entryproxy.model.tenant import Platform, Tenant


class Table(Protocol):
    """Read only, and only until the next change may come: within one turn of the event loop."""

    @property
    def platform(self) -> Platform: ...

    @property
    def tenants(self) -> Mapping[str, Tenant]:
        """By id."""
        ...

    @property
    def owners(self) -> Mapping[str, str]:
        """Custom host or "*.wildcard" → tenant id."""
        ...


class RoutingTable:
    """The newest snapshot of one worker; generation 0 before the first."""

    __slots__ = ("generation", "owners", "platform", "tenants")

    def __init__(self) -> None:
        self.generation = 0
        self.platform = Platform(system_domain="")
        self.tenants: dict[str, Tenant] = {}
        self.owners: dict[str, str] = {}

    def follow(self, change: Change, tenants: Sequence[Tenant]) -> None:
        """Become the next snapshot, with these tenants in place of those of `change`."""
        if change.whole:
            self.tenants, self.owners = {}, {}
        exchange(self.tenants, self.owners, change.removed, tenants)
        self.platform = change.platform or self.platform
        self.generation = change.generation

    def as_change(self) -> Change:
        """All of it, for whoever has nothing."""
        tenants = tuple(self.tenants.values())
        return Change(generation=self.generation, whole=True, platform=self.platform, tenants=tenants)


def all_certificates(table: Table) -> Iterator[Certificate]:
    """The platform's, then the tenants', by their ids."""
    for owner in (SYSTEM, *sorted(table.tenants)):
        yield from certificates_of(table, owner)


def certificates_of(table: Table, owner: str) -> tuple[Certificate, ...]:
    """The certificates of a tenant id or of "system"."""
    if owner == SYSTEM:
        return table.platform.certificates
    tenant = table.tenants.get(owner)
    return tenant.certificates if tenant else ()
