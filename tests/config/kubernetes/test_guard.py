from __future__ import annotations

import pytest

from entryproxy.config.kubernetes.guard import DropGuard


@pytest.mark.parametrize(
    ("known", "missing", "believed"),
    [
        (0, 0, True),
        (1, 0, True),
        (1, 1, False),  # it may be the only tenant
        (2, 1, True),
        (4, 2, True),
        (4, 3, False),
        (5, 3, False),
        (10_000, 5_000, True),
        (10_000, 5_001, False),
        (10_000, 10_000, False),
    ],
)
def test_more_than_half_of_many(known: int, missing: int, believed: bool) -> None:
    assert DropGuard().believes(known, missing) == believed


def test_the_second_list_is_believed_and_the_doubt_begins_anew() -> None:
    guard = DropGuard()
    assert [guard.believes(10, 10) for _ in range(4)] == [False, True, False, True]


def test_a_good_list_ends_the_doubt() -> None:
    guard = DropGuard()
    assert [guard.believes(10, missing) for missing in (10, 0, 10, 6)] == [False, True, False, True]
