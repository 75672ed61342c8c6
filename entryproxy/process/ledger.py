"""What outlives the control process: the last generation, and which tenant owns which row of the budgets' table.

A new control process must neither reuse a generation (workers remember heads under it) nor give a tenant's row to
another one while requests still count in it. So both stand in anonymous shared memory that the supervisor made before
forking. Only the control process writes, and never two at a time.
"""

from __future__ import annotations

import bisect
import mmap
from collections import deque

BUDGET_ROWS_MAX = 65_536
_GENERATION_BYTES = 8
_ROW_BYTES = 40  # a tenant id of at most 39 characters, and a NUL
_NEXT_ROW = slice(_GENERATION_BYTES, _GENERATION_BYTES + 4)
_HEADER_BYTES = 16
_MEMORY_BYTES = _HEADER_BYTES + BUDGET_ROWS_MAX * _ROW_BYTES


def create_memory() -> mmap.mmap:
    """Zeroed memory that every process forked from here on shares."""
    return mmap.mmap(-1, _MEMORY_BYTES)


class Ledger:
    """The generation counter."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    @property
    def generation(self) -> int:
        """The last one given out, 0 at the beginning."""
        return int.from_bytes(self._memory[:_GENERATION_BYTES], "little")

    def next_generation(self) -> int:
        """One that no control process of this supervisor has used."""
        generation = self.generation + 1
        self._memory[:_GENERATION_BYTES] = generation.to_bytes(_GENERATION_BYTES, "little")
        return generation


class BudgetSlots:
    """Rows of the budgets' table, by tenant id.

    A row whose tenant is gone is reused last: streams of that tenant may still count in it for hours. So a new control
    process goes on where the one before it had come to.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._row_of: dict[str, int] = {}
        self._free: deque[int] = deque()
        for row in range(BUDGET_ROWS_MAX):
            start = _start_of(row)
            if memory[start] == 0:
                self._free.append(row)
            else:
                self._row_of[memory[start : start + _ROW_BYTES].rstrip(b"\0").decode()] = row
        self._free.rotate(-bisect.bisect(self._free, int.from_bytes(memory[_NEXT_ROW], "little") - 1))

    def row_of(self, tenant: str) -> int:
        """The tenant's row, given out at first use; -1 when all rows are taken."""
        row = self._row_of.get(tenant)
        if row is None:
            if not self._free:
                return -1
            row = self._free.popleft()
            self._row_of[tenant] = row
            self._memory[_NEXT_ROW] = (row + 1).to_bytes(4, "little")
            self._write(row, tenant)
        return row

    def release(self, tenant: str) -> None:
        """Take back the tenant's row, if it has one."""
        row = self._row_of.pop(tenant, None)
        if row is not None:
            self._write(row, "")
            self._free.append(row)

    def keep_only(self, tenants: set[str]) -> None:
        """Take back the rows of every other tenant."""
        for tenant in [one for one in self._row_of if one not in tenants]:
            self.release(tenant)

    def _write(self, row: int, tenant: str) -> None:
        start = _start_of(row)
        self._memory[start : start + _ROW_BYTES] = tenant.encode().ljust(_ROW_BYTES, b"\0")


def _start_of(row: int) -> int:
    return _HEADER_BYTES + row * _ROW_BYTES
