from __future__ import annotations

from entryproxy.provision.problems import Problem


def test_a_problem_stops_everything_unless_it_says_otherwise() -> None:
    assert Problem("release.values", "No.", "InvalidValue").is_fatal
    assert Problem("a", "b", "c", False) != Problem("a", "b", "c")
