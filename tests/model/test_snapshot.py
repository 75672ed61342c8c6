from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.certificate import Certificate
from entryproxy.model.codec import decoder_of, encode
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Platform, Tenant
from tests.routing.snapshots import DOMAIN, certificate, snapshot, tenant


def test_indexes_follow_the_tenants() -> None:
    first = snapshot(tenant("a", "y.x.org", "*.x.org"), tenant("b", "b.org"))
    assert dict(first.owners) == {"y.x.org": "a", "*.x.org": "a", "b.org": "b"}
    second = first.apply(Change(generation=2, tenants=(tenant("a", "y.x.org"),)))
    assert dict(second.owners) == {"y.x.org": "a", "b.org": "b"}
    assert second.tenants["b"] is first.tenants["b"]
    third = second.apply(Change(generation=3, removed=("a", "never-there")))
    assert (dict(third.owners), list(third.tenants)) == ({"b.org": "b"}, ["b"])
    assert first.owners["*.x.org"] == "a"  # who holds the first one still has it whole


def test_a_host_moves_between_tenants_in_one_change() -> None:
    first = snapshot(tenant("a", "x.org"), tenant("b"))
    for order in ((tenant("a"), tenant("b", "x.org")), (tenant("b", "x.org"), tenant("a"))):
        assert dict(first.apply(Change(generation=2, tenants=order)).owners) == {"x.org": "b"}
    moved = first.apply(Change(generation=2, removed=("a",), tenants=(tenant("b", "x.org"),)))
    assert dict(moved.owners) == {"x.org": "b"}


NAMES = st.lists(st.sampled_from([("p.org",), ("*.q.org", "p.org"), ("r.org",)]), max_size=2, unique=True)
HOSTS = ("p.org", "q.org", "r.org", "*.s.org")


def certificates_of(owner: str) -> st.SearchStrategy[tuple[Certificate, ...]]:
    return NAMES.map(lambda each: tuple(certificate(owner, *names) for names in each))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Every host has at most one owner, as the compiler guarantees."""
    owners = {host: draw(st.sampled_from(["a", "b", "c", None])) for host in HOSTS}
    tenants: list[Tenant] = []
    for key in draw(st.lists(st.sampled_from("abc"), unique=True)):
        domains = [host for host, owner in owners.items() if owner == key]
        tenants.append(tenant(key, *domains, certificates=draw(certificates_of(key))))
    platform = Platform(
        system_domain=DOMAIN, certificates=draw(certificates_of(SYSTEM)), https_redirect=draw(st.booleans())
    )
    return Snapshot.build(platform, tenants, generation=draw(st.integers(1, 9)))


def same(one: Snapshot, other: Snapshot) -> bool:
    return (
        one.generation == other.generation
        and one.platform == other.platform
        and one.tenants == other.tenants
        and one.owners == other.owners
    )


@given(snapshots(), snapshots())
def test_apply_undoes_difference(older: Snapshot, newer: Snapshot) -> None:
    change = decoder_of(Change).decode(encode(older.difference(newer)))
    assert same(older.apply(change), newer)
    assert same(older.apply(newer.as_change()), newer)


@given(snapshots())
def test_nothing_differs_from_itself(one: Snapshot) -> None:
    change = one.difference(one)
    assert (change.platform, change.tenants, change.removed) == (None, (), ())
