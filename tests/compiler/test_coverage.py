from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.compiler.coverage import CustomHosts, is_covered, may_serve
from entryproxy.model.hostname import covers

D = "aigw.example.com"


@pytest.mark.parametrize(
    ("name", "owner", "expected"),
    [
        (f"*.{D}", "system", True),
        (f"t1.{D}", "system", True),
        (f"*.t1.{D}", "system", True),
        (f"app.t1.{D}", "system", True),
        (D, "system", False),
        (f"*.a.t1.{D}", "system", False),
        ("app.customer.com", "system", False),
        ("*.example.com", "system", False),
        (f"*.t1.{D}", "t1", True),
        (f"t1.{D}", "t1", True),
        (f"app.t1.{D}", "t1", True),
        (f"*.{D}", "t1", True),  # covers t1's own CNAME target
        (f"*.t2.{D}", "t1", False),
        (f"t1.t2.{D}", "t1", False),
        (f"t2.{D}", "t1", False),
        ("app.customer.com", "t1", True),
        ("*.customer.com", "t1", True),  # covers app.customer.com
        ("other.customer.com", "t1", False),
        ("x.wild.org", "t1", True),
        ("*.wild.org", "t1", True),
        ("wild.org", "t1", False),
        ("a.x.wild.org", "t1", False),
    ],
)
def test_may_serve(name: str, owner: str, expected: bool) -> None:
    assert may_serve(name, owner, CustomHosts(("app.customer.com", "*.wild.org")), D) is expected


def test_is_covered() -> None:
    names = {"a.org", "*.b.org"}
    assert is_covered("a.org", names)
    assert is_covered("x.b.org", names)
    assert is_covered("*.b.org", names)
    assert not is_covered("b.org", names)
    assert not is_covered("x.y.b.org", names)
    assert not is_covered("*.x.b.org", {"*.b.org"})


NAMES = st.sampled_from(["x.org", "a.x.org", "*.x.org", "b.a.x.org", "*.a.x.org", "y.org", "*.org", "org.x"])


@given(NAMES, st.lists(NAMES))
def test_custom_hosts_meet_what_covers_one_of_them_or_is_covered(name: str, domains: list[str]) -> None:
    expected = any(covers(name, one) or covers(one, name) for one in domains)
    assert CustomHosts(domains).meet(name) is expected
