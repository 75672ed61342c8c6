"""A histogram as plain counts, for what is observed outside the request path."""

from __future__ import annotations

from bisect import bisect_left

PROPAGATION_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """Counts per bucket, not cumulative, the last one for everything above the bounds (upper bounds, inclusive)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = PROPAGATION_BOUNDS_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> Histogram:
        """The counts of this moment, for another thread."""
        copy = Histogram(self.bounds)
        copy.counts = self.counts.copy()
        copy.total = self.total
        return copy
