"""Limits that a pod's workers share."""

from __future__ import annotations

import os

import pytest

from entryproxy.edge.budgets import BudgetTable


def test_workers_see_each_other() -> None:
    memory = BudgetTable.create_memory(2)
    one, two = BudgetTable(memory, 2, 0), BudgetTable(memory, 2, 1)
    one.enter(5)
    one.enter(5)
    two.enter(5)
    two.enter(6)
    assert (one.concurrent(5), two.concurrent(5), one.concurrent(6), one.concurrent(7)) == (3, 3, 1, 0)
    one.leave(5)
    two.leave(5)
    assert two.concurrent(5) == 1


def test_the_rate_is_shared() -> None:
    memory = BudgetTable.create_memory(2)
    tables = [BudgetTable(memory, 2, worker) for worker in range(2)]
    admitted = [tables[number % 2].admit(3, 10, 1_000.0) for number in range(12)]
    assert admitted[:10] == [0.0] * 10
    assert admitted[10] == pytest.approx(0.1)
    assert tables[0].admit(4, 10, 1_000.0) == 0.0, "another tenant's rate"
    assert tables[1].admit(3, 10, 1_000.11) == 0.0


def test_a_worker_that_died_leaves_nothing_once_it_is_replaced() -> None:
    memory = BudgetTable.create_memory(2)
    one, two = BudgetTable(memory, 2, 0), BudgetTable(memory, 2, 1)
    one.enter(0)
    two.enter(0)
    one.enter(65_535)
    BudgetTable(memory, 2, 0)
    assert (two.concurrent(0), two.concurrent(65_535)) == (1, 0)


def test_two_processes_share_one_table() -> None:
    memory = BudgetTable.create_memory(2)
    mine = BudgetTable(memory, 2, 0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            theirs = BudgetTable(memory, 2, 1)
            for _ in range(7):
                theirs.enter(9)
            theirs.admit(9, 1, 1_000.0)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert mine.concurrent(9) == 7
    assert mine.admit(9, 1, 1_000.0) == pytest.approx(1.0)
