from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.quantity import QUANTITY_MAX, format_quantity, parse_quantity

NANO = Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("text", "value", "canonical"),
    [
        ("0", 0, "0"),
        ("0Gi", 0, "0"),
        ("-0", 0, "0"),
        ("2", 2, "2"),
        ("+2", 2, "2"),
        ("-1.5", Fraction(-3, 2), "-1500m"),
        ("007", 7, "7"),
        ("500m", Fraction(1, 2), "500m"),
        ("2000m", 2, "2"),
        (".5", Fraction(1, 2), "500m"),
        ("5.", 5, "5"),
        ("0.001", Fraction(1, 1000), "1m"),
        ("12u", 12 * Fraction(1, 10**6), "12u"),
        ("7n", 7 * NANO, "7n"),
        ("0.1n", NANO, "1n"),
        ("-0.1n", -NANO, "-1n"),
        ("100k", 100_000, "100k"),
        ("1500k", 1_500_000, "1500k"),
        ("3M", 3 * 10**6, "3M"),
        ("3G", 3 * 10**9, "3G"),
        ("3T", 3 * 10**12, "3T"),
        ("3P", 3 * 10**15, "3P"),
        ("3E", 3 * 10**18, "3E"),
        ("2e3", 2_000, "2k"),
        ("2E3", 2_000, "2k"),
        ("2e+3", 2_000, "2k"),
        ("2e-3", Fraction(1, 500), "2m"),
        ("1.5Gi", 3 * 2**29, "1610612736"),
        ("1Ki", 1024, "1024"),
        ("9223372036854775807", QUANTITY_MAX, "9223372036854775807"),
    ],
)
def test_what_is_a_quantity(text: str, value: Fraction | int, canonical: str) -> None:
    assert parse_quantity(text) == value
    assert format_quantity(parse_quantity(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1Ki", "1Ki"),
        ("1.5Gi", "1536Mi"),
        ("2048Mi", "2Gi"),
        ("1Ti", "1Ti"),
        ("1Pi", "1Pi"),
        ("7Ei", "7Ei"),
        ("-2Ki", "-2Ki"),
        ("1000", "1000"),
        ("1025", "1025"),
        ("1M", "1000000"),
        ("0.5", "500m"),
        ("1024.5", "1024500m"),
        ("0", "0"),
    ],
)
def test_bytes_get_binary_suffixes(text: str, canonical: str) -> None:
    assert format_quantity(parse_quantity(text), binary=True) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "-",
        "1 ",
        " 1",
        "1K",
        "1ki",
        "1KI",
        "1gi",
        "1GB",
        "1 Gi",
        "1mm",
        "1e",
        "1e1.5",
        "1e3k",
        "1Gi5",
        "1,5",
        "1_000",
        "0x10",
        "inf",
        "NaN",
        "--1",
        "\N{FULLWIDTH DIGIT ONE}",
        "1\n",
        "1e1000",
        "1" * 65,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "8Ei", "10E", "1e19", "-8.1Ei", "1e999"])
def test_more_than_a_quantity_holds(text: str) -> None:
    with pytest.raises(ValueError, match="more than a Kubernetes quantity can hold"):
        parse_quantity(text)


@given(
    st.integers(-QUANTITY_MAX * 10**9, QUANTITY_MAX * 10**9) | st.integers(-9999, 9999).map(lambda one: one * 10**9),
    st.booleans(),
)
def test_there_and_back(nanos: int, binary: bool) -> None:
    text = format_quantity(nanos * NANO, binary=binary)
    assert parse_quantity(text) == nanos * NANO
    assert format_quantity(parse_quantity(text), binary=binary) == text
    assert "." not in text


@given(st.fractions(-(2**60), 2**60))
def test_rounding_is_away_from_zero_and_by_less_than_a_nano(value: Fraction) -> None:
    difference = abs(parse_quantity(format_quantity(value))) - abs(value)
    assert 0 <= difference < NANO
