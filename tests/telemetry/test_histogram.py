from __future__ import annotations

from entryproxy.telemetry.histogram import Histogram


def test_values_fall_into_the_bucket_whose_bound_they_do_not_exceed() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.5):
        histogram.observe(value)
    assert histogram.counts == [2, 1, 1]
    assert histogram.total == 5.5


def test_a_copy_stands_still() -> None:
    histogram = Histogram((1.0,))
    histogram.observe(0.5)
    copy = histogram.copy()
    histogram.observe(0.5)
    assert (copy.counts, copy.total, copy.bounds) == ([1, 0], 0.5, (1.0,))
