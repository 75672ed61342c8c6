from __future__ import annotations

import pytest

from entryproxy.console import words


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (1000, "1 000"), (1234567, "1 234 567")])
def test_count(number: int, text: str) -> None:
    assert words.count(number).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_900, "99.9 kB"), (504_000, "504 kB"), (1_250_000, "1.2 MB"),
     (3 * 10**15, "3.0 PB"), (5 * 10**18, "5000 PB")],
)  # fmt: skip
def test_size(number: int, text: str) -> None:
    assert words.size(number).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d 0 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert words.duration(seconds).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("days", "text"),
    [(-1, "expired"), (0, "ends today"), (1, "1 day left"), (2, "2 days left"), (3650, "3 650 days left")],
)
def test_days_left(days: int, text: str) -> None:
    assert words.days_left(days).replace("\u202f", " ") == text
