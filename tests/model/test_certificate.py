from __future__ import annotations

from tests.routing.snapshots import NOW, certificate


def test_validity_includes_both_ends() -> None:
    one = certificate("a", "a.b", start=0, end=1)
    assert [one.is_valid_at(NOW + day * 86_400) for day in (-0.1, 0, 1, 1.1)] == [False, True, True, False]
