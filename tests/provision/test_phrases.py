from __future__ import annotations

import pytest

from entryproxy.provision.phrases import cluster_name, grouped, listed, name_of, numbers


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ("", ""),
        ("a", "a"),
        ("ab", "a and b"),
        ("abc", "a, b and c"),
        ("abcde", "a, b, c, d and e"),
        ("abcdefg", "a, b, c, d, e and 2 more"),
    ],
)
def test_a_list(items: str, text: str) -> None:
    assert listed(items) == text


def test_the_rest() -> None:
    assert numbers({443, 80}) == "80 and 443"
    assert name_of(("ns", "release")) == "ns/release"
    assert cluster_name("higress-gateway", "ns") == "higress-gateway-ns"
    assert grouped([3, 1, 4, 2], lambda one: one % 2) == {1: [3, 1], 0: [4, 2]}
