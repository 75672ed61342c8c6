from __future__ import annotations

from entryproxy.controller.holders import Holder
from entryproxy.controller.withdrawals import Withdrawals

NOW = 1_000.0


def holder(uid: str = "u1", deleted_at: float = 0.0) -> Holder:
    return Holder(tenant="acme", namespace="entry", name="acme", uid=uid, deleted_at=deleted_at)


def test_time_counts_from_the_deletion_also_for_a_successor() -> None:
    assert not Withdrawals(15).is_over("acme", [holder(deleted_at=NOW - 14)], NOW)
    assert Withdrawals(15).is_over("acme", [holder(deleted_at=NOW - 15)], NOW)


def test_without_a_deletion_it_counts_from_when_that_was_seen() -> None:
    withdrawals = Withdrawals(15)
    assert not withdrawals.is_over("acme", [holder()], NOW)
    assert not withdrawals.is_over("other", [holder("u2")], NOW + 14)
    assert withdrawals.is_over("acme", [holder()], NOW + 15)


def test_the_last_one_of_several_counts() -> None:
    withdrawals = Withdrawals(15)
    assert not withdrawals.is_over("acme", [holder()], NOW)
    assert not withdrawals.is_over("acme", [holder(), holder("u2")], NOW + 15)
    assert withdrawals.is_over("acme", [holder(), holder("u2")], NOW + 30)


def test_one_that_came_back_meanwhile_has_all_its_time_again() -> None:
    """Its label was put back: what an entry serves again it must be told again to drain."""
    withdrawals = Withdrawals(15)
    assert not withdrawals.is_over("acme", [holder()], NOW)
    assert not withdrawals.is_over("acme", [], NOW + 10)
    assert not withdrawals.is_over("acme", [holder()], NOW + 86_400)


def test_a_server_whose_clock_is_ahead_makes_nobody_wait_for_it() -> None:
    withdrawals = Withdrawals(15)
    assert not withdrawals.is_over("acme", [holder(deleted_at=NOW + 3_600)], NOW)
    assert withdrawals.is_over("acme", [holder(deleted_at=NOW + 3_600)], NOW + 15)
