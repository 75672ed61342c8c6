from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.kubernetes.backoff import Backoff
from entryproxy.kubernetes.errors import ApiError

AWAY = ApiError(0, "Unreachable", "away")


def waits(problem: ApiError, count: int, random: float) -> list[float]:
    backoff = Backoff(lambda: random)
    return [backoff.failed(problem, now) for now in range(count)]


def test_it_grows_up_to_a_bound() -> None:
    assert waits(AWAY, 9, 0.0) == [0.2] * 9
    assert waits(AWAY, 9, 1.0) == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30])
    assert waits(AWAY, 2, 0.5) == pytest.approx([0.3, 0.5])


@pytest.mark.parametrize(("status", "longest"), [(401, 5), (403, 10)])
def test_a_token_may_be_new_any_moment_and_a_permission_soon(status: int, longest: float) -> None:
    assert waits(ApiError(status, "", ""), 20, 1.0)[-1] == pytest.approx(longest)
    assert waits(ApiError(status, "", ""), 2, 0.0) == [0.2, 0.2]


@pytest.mark.parametrize(("asked", "wait"), [(0, 0.2), (7, 7), (60, 60), (86_400, 60)])
def test_the_server_is_obeyed_within_reason(asked: float, wait: float) -> None:
    assert waits(ApiError(429, "TooManyRequests", "", asked), 1, 0.0) == [wait]


def test_obedience_has_jitter_too() -> None:
    assert waits(ApiError(503, "", "", 10), 1, 1.0) == pytest.approx([12])


def test_only_lasting_success_starts_over() -> None:
    backoff = Backoff(lambda: 1.0)
    for now in range(4):
        backoff.failed(AWAY, now)
    backoff.succeeded(10)
    assert backoff.failed(AWAY, 19.9) == pytest.approx(6.4)
    backoff.succeeded(30)
    backoff.succeeded(39)
    assert backoff.failed(AWAY, 40) == pytest.approx(0.4)


@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e9), st.integers(0, 599))
def test_never_at_once_and_never_for_long(count: int, random: float, asked: float | None, status: int) -> None:
    for wait in waits(ApiError(status, "", "", asked), count, random):
        assert 0.2 <= wait <= 72
