from __future__ import annotations

import msgspec
from hypothesis import given

from entryproxy.model.hostname import SYSTEM
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.routing.table import RoutingTable, all_certificates, certificates_of
from tests.model.test_snapshot import snapshots
from tests.routing.snapshots import DOMAIN, certificate, snapshot, tenant


def follow(table: RoutingTable, change: Change) -> None:
    table.follow(msgspec.structs.replace(change, tenants=()), change.tenants)


def same(table: RoutingTable, newest: Snapshot) -> bool:
    return (table.generation, table.platform, table.tenants, table.owners) == (
        newest.generation,
        newest.platform,
        dict(newest.tenants),
        dict(newest.owners),
    )


@given(snapshots(), snapshots())
def test_it_follows_the_snapshots(older: Snapshot, newer: Snapshot) -> None:
    table = RoutingTable()
    follow(table, older.as_change())
    assert same(table, older)
    follow(table, older.difference(newer))
    assert same(table, newer)
    follow(table, older.as_change())
    assert same(table, older)
    assert same(table, Snapshot.build(older.platform).apply(table.as_change()))


def test_certificates_are_the_owners() -> None:
    ours, theirs = certificate(SYSTEM, f"*.{DOMAIN}"), certificate("a", f"*.a.{DOMAIN}")
    one = snapshot(tenant("a", certificates=(theirs,)), tenant("b"), certificates=(ours,))
    assert [certificates_of(one, owner) for owner in (SYSTEM, "a", "b", "nobody")] == [(ours,), (theirs,), (), ()]
    assert list(all_certificates(one)) == [ours, theirs]
