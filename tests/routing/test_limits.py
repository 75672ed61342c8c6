from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.routing.limits import admit


def test_a_burst_passes_and_the_next_is_told_when_to_come_back() -> None:
    state = 0.0
    for _ in range(5):
        admitted, state, wait = admit(state, 100.0, rate=10, burst=5)
        assert admitted
        assert wait == 0.0
    admitted, after, wait = admit(state, 100.0, rate=10, burst=5)
    assert not admitted
    assert after == state
    assert wait == pytest.approx(0.1)
    assert admit(state, 100.0 + wait, rate=10, burst=5)[0]


def test_a_refusal_costs_nothing() -> None:
    _, state, _ = admit(0.0, 50.0, rate=1, burst=1)
    for _ in range(100):
        admitted, state, _ = admit(state, 50.5, rate=1, burst=1)
        assert not admitted
    assert admit(state, 51.0, rate=1, burst=1)[0]


def test_a_pause_gives_one_burst_and_not_more() -> None:
    state = 0.0
    admitted = 0
    for _ in range(50):
        passed, state, _ = admit(state, 1e6, rate=2, burst=3)
        admitted += passed
    assert admitted == 3


@given(
    st.integers(1, 1_000),
    st.integers(1, 50),
    st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
def test_never_more_than_burst_plus_rate_times_time(rate: int, burst: int, gaps: list[float]) -> None:
    state, now, admitted = 0.0, 1_000.0, 0
    for gap in gaps:
        now += gap
        passed, state, wait = admit(state, now, rate, burst)
        admitted += passed
        assert passed == (wait == 0.0)
    assert admitted <= burst + rate * (now - 1_000.0 - gaps[0]) + 1e-3
