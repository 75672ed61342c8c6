"""Options, and the choice of cores."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.__main__ import choose_cores


@pytest.mark.parametrize(("available", "expected"), [([0, 1], (0, 1)), ([2, 5, 7], (2, 5)), ([3], (3, 3))])
def test_proxy_and_load_share_a_core_only_when_there_is_one(available: list[int], expected: tuple[int, int]) -> None:
    assert choose_cores(available) == expected


def test_an_unknown_contender_is_bad_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--contenders", "apache"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "apache" in done.stderr
