from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.certificate import Certificate
from entryproxy.model.hostname import SYSTEM, covers
from entryproxy.model.snapshot import Snapshot
from entryproxy.routing.match import Route, match_host
from entryproxy.routing.sni import choose_certificate
from tests.routing.snapshots import DOMAIN, NOW, certificate, snapshot, tenant

PLATFORM = certificate(SYSTEM, f"*.{DOMAIN}")
OF_T1 = certificate("t1", f"*.t1.{DOMAIN}")
CUSTOM = certificate("t1", "app.customer.com")
CUSTOM_WILD = certificate("t1", "*.customer.com", end=900)


def served(snapshot: Snapshot, name: str | None, now: float = NOW) -> list[str]:
    return [one.source for one in choose_certificate(snapshot, name, now).candidates]


def full(**platform: str) -> Snapshot:
    return snapshot(
        tenant("t1", "app.customer.com", "*.customer.com", certificates=(OF_T1, CUSTOM, CUSTOM_WILD)),
        tenant("t2", "bare.other.org"),
        certificates=(PLATFORM,),
        **platform,
    )


@pytest.mark.parametrize(
    ("name", "expected", "tenant_id", "covered"),
    [
        (f"app.t1.{DOMAIN}", [OF_T1], "t1", True),
        (f"t1.{DOMAIN}", [PLATFORM], "t1", True),
        (f"APP.T1.{DOMAIN}.", [OF_T1], "t1", True),
        (f"app.t2.{DOMAIN}", [PLATFORM], "t2", False),  # rule 6: the client judges
        (f"t2.{DOMAIN}", [PLATFORM], "t2", True),
        (f"app.nobody.{DOMAIN}", [PLATFORM], "", False),  # by grammar, so that HTTP can say 404
        (f"nobody.{DOMAIN}", [PLATFORM], "", True),
        ("app.customer.com", [CUSTOM, CUSTOM_WILD], "t1", True),  # exact before the wildcard that lasts longer
        ("x.customer.com", [CUSTOM_WILD], "t1", True),
    ],
)
def test_candidates(name: str, expected: list[Certificate], tenant_id: str, covered: bool) -> None:
    choice = choose_certificate(full(), name, NOW)
    assert list(choice.candidates) == expected
    assert (choice.tenant_id, choice.covered, choice.refused, choice.any_host) == (tenant_id, covered, False, False)


@pytest.mark.parametrize(
    ("name", "reason", "tenant_id", "any_host"),
    [
        (None, "no_sni", "", True),
        ("", "no_sni", "", True),
        ("127.0.0.1", "no_sni", "", True),
        ("::1", "no_sni", "", True),
        ("unknown.org", "unknown_name", "", False),
        (DOMAIN, "unknown_name", "", False),
        (f"a.b.t1.{DOMAIN}", "unknown_name", "", False),
        ("*.customer.com", "unknown_name", "", False),
        ("bare.other.org", "uncovered_name", "t2", False),
    ],
)
def test_names_that_rule_unknown_sni_decides(name: str | None, reason: str, tenant_id: str, any_host: bool) -> None:
    refused = choose_certificate(full(), name, NOW)
    assert refused.refused
    assert refused.detail
    assert (refused.reason, refused.tenant_id, refused.candidates) == (reason, tenant_id, ())
    default = choose_certificate(full(unknown_sni="default"), name, NOW)
    assert default.candidates == (PLATFORM,)
    assert (default.tenant_id, default.covered, default.any_host) == (tenant_id, False, any_host)


@pytest.mark.parametrize("name", [f"app.t1.{DOMAIN}", "unknown.org", None])
def test_no_certificate_at_all_is_refused(name: str | None) -> None:
    choice = choose_certificate(snapshot(tenant("t1"), unknown_sni="default"), name, NOW)
    assert choice.refused
    assert choice.reason == "no_certificate"


def test_a_neighbours_certificate_is_never_looked_at() -> None:
    thief = certificate("t2", f"*.t1.{DOMAIN}", "app.customer.com", end=999)
    both = snapshot(
        tenant("t1", "app.customer.com", certificates=(CUSTOM,)),
        tenant("t2", certificates=(thief,)),
        certificates=(PLATFORM, certificate(SYSTEM, "app.customer.com", end=999)),
    )
    assert choose_certificate(both, "app.customer.com", NOW).candidates == (CUSTOM,)
    assert choose_certificate(both, f"app.t1.{DOMAIN}", NOW).candidates[0] is PLATFORM


def test_validity_comes_first_and_expired_is_better_than_not_yet_valid() -> None:
    name = f"app.t1.{DOMAIN}"
    certificates = {
        "exact expired": certificate("t1", name, start=-90, end=-1, source="exact expired"),
        "exact future": certificate("t1", name, start=1, end=900, source="exact future"),
        "wild valid": certificate("t1", f"*.t1.{DOMAIN}", end=5, source="wild valid"),
        "wild longer": certificate(SYSTEM, f"*.t1.{DOMAIN}", end=50, source="wild longer"),
    }
    own = tuple(one for one in certificates.values() if one.owner == "t1")
    system = (certificates["wild longer"],)
    order = served(snapshot(tenant("t1", certificates=own), certificates=system), name)
    assert order == ["wild longer", "wild valid", "exact expired", "exact future"]


def test_the_clock_alone_changes_the_order() -> None:
    name = f"t1.{DOMAIN}"
    old = certificate(SYSTEM, name, end=1, source="old")
    new = certificate(SYSTEM, name, start=0.5, end=90, source="new")
    both = snapshot(tenant("t1"), certificates=(old, new))
    assert served(both, name, NOW) == ["old", "new"]
    assert served(both, name, NOW + 0.75 * 86_400) == ["new", "old"]


def test_the_first_system_certificate_is_the_default_and_the_wildcard_the_fallback() -> None:
    console = certificate(SYSTEM, f"console.{DOMAIN}", source="console")
    gone = certificate(SYSTEM, f"x.{DOMAIN}", start=-9, end=-1, source="gone")
    wild = certificate(SYSTEM, f"*.{DOMAIN}", source="wild")
    platform = snapshot(tenant("t1"), certificates=(gone, console, wild), unknown_sni="default")
    assert served(platform, None) == ["console", "wild", "gone"]
    assert served(platform, f"app.t1.{DOMAIN}") == ["wild", "console", "gone"]


NAMES = st.sampled_from(
    [f"t1.{DOMAIN}", f"*.{DOMAIN}", f"*.t1.{DOMAIN}", f"app.t1.{DOMAIN}", "app.customer.com", "*.customer.com", "z.org"]
)
OWNERS = st.sampled_from([SYSTEM, "t1", "t2"])
CERTIFICATES = st.lists(
    st.builds(
        lambda owner, names, start, length: certificate(owner, *names, start=start, end=start + length),
        OWNERS,
        st.lists(NAMES, min_size=1, unique=True),
        st.integers(-5, 2),
        st.integers(1, 9),
    ),
    max_size=6,
)
HOSTS = st.sampled_from(
    [f"app.t1.{DOMAIN}", f"t1.{DOMAIN}", f"t2.{DOMAIN}", "app.customer.com", "y.customer.com", "z.org"]
)


@given(CERTIFICATES, HOSTS)
def test_rules_4_and_6(certificates: list[Certificate], host: str) -> None:
    def of(owner: str) -> tuple[Certificate, ...]:
        return tuple(one for one in certificates if one.owner == owner)

    built = snapshot(
        tenant("t1", "app.customer.com", certificates=of("t1")),
        tenant("t2", "*.customer.com", certificates=of("t2")),
        certificates=of(SYSTEM),
    )
    choice = choose_certificate(built, host, NOW)
    route = match_host(built, host)
    assert choice.tenant_id == (route.tenant.id if isinstance(route, Route) else "")
    is_system = host.endswith(DOMAIN)
    allowed = {choice.tenant_id} | ({SYSTEM} if is_system else set())
    covering = [one for one in certificates if one.owner in allowed and any(covers(name, host) for name in one.names)]
    assert choice.covered == bool(covering)
    if covering:
        assert sorted(map(id, choice.candidates)) == sorted(map(id, covering))
        validity = [one.not_before <= NOW <= one.not_after for one in choice.candidates]
        assert validity == sorted(validity, reverse=True)
    else:
        assert choice.candidates == () or is_system
        assert all(one.owner == SYSTEM for one in choice.candidates)
