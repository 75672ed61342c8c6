"""Every object's entry, by reference, with what a run asks of all of them kept at hand: whose time has come."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

from entryproxy.compiler.parsing import Entry

_HEAP_SLACK = 1_024


class Entries:
    """A change of one entry costs the logarithm of their number; nothing here looks at all of them."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[float, str]] = []  # (stale_at, reference), also of versions that are gone

    def get(self, reference: str) -> Entry | None:
        return self._entries.get(reference)

    def put(self, entry: Entry) -> None:
        """The entry of this object from now on."""
        reference = entry.source.reference
        self._entries[reference] = entry
        if math.isfinite(entry.stale_at):
            heapq.heappush(self._heap, (entry.stale_at, reference))
            if len(self._heap) > 2 * len(self._entries) + _HEAP_SLACK:
                self._heap = [(one.stale_at, key) for key, one in self._entries.items() if math.isfinite(one.stale_at)]
                heapq.heapify(self._heap)

    def drop(self, reference: str) -> Entry | None:
        """The object is gone; its last entry."""
        return self._entries.pop(reference, None)

    def pop_stale(self, now: float) -> Iterator[Entry]:
        """Entries that mean something else by now; the caller puts each of them again."""
        while self._heap and self._heap[0][0] <= now:
            stale_at, reference = heapq.heappop(self._heap)
            entry = self._entries.get(reference)
            if entry is not None and entry.stale_at == stale_at:
                yield entry

    @property
    def stale_at(self) -> float:
        """The earliest `stale_at` of all, infinite if none ends."""
        while self._heap:
            stale_at, reference = self._heap[0]
            entry = self._entries.get(reference)
            if entry is not None and entry.stale_at == stale_at:
                return stale_at
            heapq.heappop(self._heap)
        return math.inf
