from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from entryproxy.compiler.claims import Claim, Claims, Lost


def claim(tenant: str, created: str, *domains: str) -> Claim:
    return Claim(tenant, (created, "ns", tenant), f"ConfigMap ns/{tenant}", domains)


def resolve(claims: Iterable[Claim]) -> dict[str, Lost]:
    registry = Claims()
    asking = list(claims)
    for one in asking:
        registry.replace(one.tenant, one)
    return {one.tenant: lost for one in asking if (lost := registry.lost_by(one.tenant))}


def test_every_later_claim_learns_who_owns_the_host_in_the_end() -> None:
    lost = resolve([claim("c", "3", "x.org", "y.org"), claim("b", "2", "x.org"), claim("a", "1", "x.org")])
    assert lost == {
        "b": (("x.org", "a", "ConfigMap ns/a"),),
        "c": (("x.org", "a", "ConfigMap ns/a"),),
    }


def test_an_exact_host_and_a_wildcard_over_it_are_two_hosts() -> None:
    assert resolve([claim("a", "1", "*.x.org"), claim("b", "2", "y.x.org")]) == {}


CLAIMS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("123"), st.lists(st.sampled_from("xyz"), unique=True)),
    max_size=6,
    unique_by=lambda one: one[0],
)


@given(CLAIMS, st.randoms())
def test_the_oldest_wins_in_whatever_order_they_come(raw: list[tuple[str, str, list[str]]], random: object) -> None:
    claims = [claim(tenant, created, *domains) for tenant, created, domains in raw]
    lost = resolve(claims)
    random.shuffle(claims)  # type: ignore[attr-defined]
    assert resolve(claims) == lost
    for host in "xyz":
        asking = sorted((one for one in claims if host in one.domains), key=lambda one: one.precedence)
        losing = sorted(tenant for tenant, hosts in lost.items() if host in [each[0] for each in hosts])
        assert losing == sorted(one.tenant for one in asking[1:])


@given(CLAIMS, CLAIMS)
def test_replacing_one_by_one_ends_where_a_fresh_start_does(
    before: list[tuple[str, str, list[str]]], after: list[tuple[str, str, list[str]]]
) -> None:
    registry = Claims()
    for tenant, created, domains in before:
        registry.replace(tenant, claim(tenant, created, *domains))
    known = {tenant: registry.lost_by(tenant) for tenant in "abcdef"}
    wanted = {tenant: claim(tenant, created, *domains) for tenant, created, domains in after}
    for tenant in "abcdef":
        told = registry.replace(tenant, wanted.get(tenant)) | {tenant}
        now = {each: registry.lost_by(each) for each in "abcdef"}
        assert {each for each in "abcdef" if now[each] != known[each]} <= told
        known = now
    assert {tenant: lost for tenant, lost in known.items() if lost} == resolve(wanted.values())


def test_a_claim_that_comes_to_nothing_touches_nobody() -> None:
    """Thousands of tenants may ask for one host by mistake; each change of one of them must not be work for all."""
    registry = Claims()
    for tenant in "abcdef":
        registry.replace(tenant, claim(tenant, "1", "x.org"))
    assert registry.replace("f", claim("f", "1", "x.org", "f.org")) == set()
    assert registry.replace("e", None) == set()
    assert registry.replace("a", claim("a", "1", "x.org", "a.org")) == set()
    assert registry.replace("a", claim("a", "9", "x.org", "a.org")) == {"b", "c", "d", "f"}
    assert registry.lost_by("a") == (("x.org", "b", "ConfigMap ns/b"),)
    assert registry.replace("b", None) == {"a", "c", "d", "f"}
