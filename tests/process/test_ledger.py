from __future__ import annotations

from entryproxy.process.ledger import BUDGET_ROWS_MAX, BudgetSlots, Ledger, create_memory

LONGEST = "x" * 39


def test_generations_go_on_in_the_next_control_process() -> None:
    memory = create_memory()
    first = Ledger(memory)
    assert first.generation == 0
    assert [first.next_generation(), first.next_generation()] == [1, 2]
    second = Ledger(memory)
    assert second.generation == 2
    assert second.next_generation() == 3


def test_rows_are_kept_by_the_next_control_process() -> None:
    memory = create_memory()
    slots = BudgetSlots(memory)
    rows = {tenant: slots.row_of(tenant) for tenant in ("one", LONGEST, "three")}
    assert len(set(rows.values())) == 3
    slots.keep_only({LONGEST, "three"})
    again = BudgetSlots(memory)
    assert again.row_of(LONGEST) == rows[LONGEST]
    assert again.row_of("three") == rows["three"]
    assert Ledger(memory).generation == 0


def test_a_row_is_taken_back_and_reused_last() -> None:
    slots = BudgetSlots(create_memory())
    first = slots.row_of("one")
    slots.keep_only(set())
    others = [slots.row_of(f"tenant{number}") for number in range(BUDGET_ROWS_MAX - 1)]
    assert first not in others
    assert slots.row_of("last") == first


def test_the_next_control_process_reuses_it_last_too() -> None:
    memory = create_memory()
    slots = BudgetSlots(memory)
    assert [slots.row_of(tenant) for tenant in "abc"] == [0, 1, 2]
    slots.keep_only({"b"})
    assert [BudgetSlots(memory).row_of(tenant) for tenant in "bd"] == [1, 3]
    again = BudgetSlots(memory)
    rows = [again.row_of(f"tenant{number}") for number in range(BUDGET_ROWS_MAX - 2)]
    assert rows == [*range(4, BUDGET_ROWS_MAX), 0, 2]
    BudgetSlots(memory).keep_only({"b", "d"})
    assert BudgetSlots(memory).row_of("e") == 4


def test_tenants_beyond_the_table_get_no_row() -> None:
    slots = BudgetSlots(create_memory())
    for number in range(BUDGET_ROWS_MAX):
        slots.row_of(f"tenant{number}")
    assert slots.row_of("one-too-many") == -1
    slots.keep_only({f"tenant{number}" for number in range(1, BUDGET_ROWS_MAX)})
    assert slots.row_of("one-too-many") == 0
