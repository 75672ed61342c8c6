from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.migrate import values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("1024", 1024), ("8m", 8 << 20), ("8M", 8 << 20), (" 5g ", 5 << 30), ("10k", 10 << 10), ("7b", 7),
        ("99999999999999g", 2**53), ("", None), ("8 m", None), ("8mb", None), ("-1", None), ("1.5m", None),
        ("٣m", None),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int | None) -> None:
    assert values.read_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), (" 60", 60), ("0", None), ("60s", None), ("", None), ("-1", None), ("1e3", None)]
)
def test_seconds(text: str, seconds: int | None) -> None:
    assert values.read_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("T", True), ("1", True), ("False", False), ("0", False), ("yes", None), ("", None)],
)
def test_booleans(text: str, value: bool | None) -> None:
    assert values.read_boolean(text) is value


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("10.0.0.1/8, 192.0.2.7,", ("10.0.0.0/8", "192.0.2.7/32")),
        ("2001:db8::1/32", ("2001:db8::/32",)),
        ("", ()),
        ("10.0.0.0/8,nonsense", None),
    ],
)
def test_networks(text: str, networks: tuple[str, ...] | None) -> None:
    assert values.read_networks(text) == networks


def test_names() -> None:
    assert values.read_names(" A.com, b.com,,a.com ") == ("a.com", "b.com")


@given(st.text(max_size=20))
def test_no_text_is_too_strange(text: str) -> None:
    for read in (values.read_size, values.read_seconds, values.read_boolean, values.read_networks, values.read_names):
        read(text)
