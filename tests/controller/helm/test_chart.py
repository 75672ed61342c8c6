from __future__ import annotations

import pytest

from entryproxy.controller.helm.chart import is_name, is_same_version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("higress-core", True),
        ("a", True),
        ("my_chart.v2", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        (".", False),
        ("..", False),
        ("-core", False),
        ("core-", False),
        ("a/b", False),
        ("a\\b", False),
        ("core-1.0.0.tgz", False),
        ("core\n", False),
        ("köln", False),
    ],
)
def test_names(text: str, expected: bool) -> None:
    assert is_name(text) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("2.2.1", "2.2.1", True),
        ("v2.2.1", "2.2.1", True),
        ("2.2.1", "v2.2.1", True),
        ("2.2.1", "2.2.10", False),
        ("2.2.1", "2.2.1+build", False),
        ("2.2.1", "2.2.1-rc.1", False),
        ("V2.2.1", "2.2.1", False),
    ],
)
def test_versions(one: str, other: str, expected: bool) -> None:
    assert is_same_version(one, other) is expected
