"""What a pod's workers share of a tenant's limits: one table in memory mapped before the fork.

A row per tenant with limits: the theoretical arrival time of its rate (routing.limits), and one cell per worker with
its concurrent requests, which only that worker writes. Eight-byte cells are read and written whole on every platform
that we support; two workers that take from the same rate in the same microsecond may both count as one, which errs by
less than the rate's own burst.
"""

from __future__ import annotations

import mmap

from entryproxy.routing.limits import admit

ROWS = 65_536
_CELL_BYTES = 8


class BudgetTable:
    """One worker's view of the shared table. `row` arguments are `Tenant.budget_slot`."""

    __slots__ = ("_arrivals", "_counts", "_own", "_workers")

    def __init__(self, memory: mmap.mmap, workers: int, worker: int) -> None:
        """worker: this worker's number, from 0; its cells are cleared, since an earlier holder may have died in the
        middle.
        """
        cells = memoryview(memory)
        arrivals_bytes = ROWS * _CELL_BYTES
        self._arrivals = cells[:arrivals_bytes].cast("d")
        self._counts = cells[arrivals_bytes : arrivals_bytes * (1 + workers)].cast("q")
        self._workers = workers
        self._own = worker
        for row in range(ROWS):
            if self._counts[row * workers + worker]:
                self._counts[row * workers + worker] = 0

    @staticmethod
    def create_memory(workers: int) -> mmap.mmap:
        """Anonymous shared memory for `workers` workers, all zero; pages cost nothing until a limit uses them."""
        return mmap.mmap(-1, ROWS * _CELL_BYTES * (1 + workers))

    def admit(self, row: int, rate: float, now: float) -> float:
        """Take one request from the rate (per second, burst of one second's worth); 0.0, or seconds until there is one.

        now: the system's monotonic clock, which all workers share.
        """
        admitted, arrival, retry_after = admit(self._arrivals[row], now, rate, max(rate, 1.0))
        if admitted:
            self._arrivals[row] = arrival
        return retry_after

    def concurrent(self, row: int) -> int:
        """Requests under way in all workers."""
        first = row * self._workers
        return sum(self._counts[first : first + self._workers])

    def enter(self, row: int) -> None:
        self._counts[row * self._workers + self._own] += 1

    def leave(self, row: int) -> None:
        self._counts[row * self._workers + self._own] -= 1
