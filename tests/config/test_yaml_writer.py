from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.config.yaml import parse_yaml
from entryproxy.config.yaml_writer import write_yaml

# What YAML allows in a text at all (§5.1), without the byte order mark that readers drop.
TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"],
        exclude_characters=[chr(c) for c in range(32) if c not in (9, 10, 13)] + ["\ufeff", "\ufffe", "\uffff"],
    ),
    max_size=30,
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
AMBIGUOUS = ["1e3", "yes", "on", "null", "~", "", "012", "1:30", "2026-01-01", "0x1f", "1_000", ".5", "<<", "=", "- a"]
DATA = st.recursive(
    SCALARS | TEXT | st.sampled_from(AMBIGUOUS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(bool), inner, max_size=3),
    max_leaves=12,
)


@given(DATA)
def test_both_readers_get_back_what_was_written(value: Any) -> None:
    text = write_yaml(value)
    assert yaml.safe_load(text) == value
    assert parse_yaml(text) == value


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_text_that_looks_like_something_else(text: str) -> None:
    written = write_yaml({"a": text})
    assert parse_yaml(written) == {"a": text} == yaml.safe_load(written)


def test_what_people_read() -> None:
    value = {
        "metadata": {"name": "t1", "labels": {"a/b": "123"}},
        "data": {"tenant.yaml": "domains:\n  - app.customer.com\n", "line": "x" * 300},
        "list": ["one", {"two": 2, "three": True}],
    }
    assert write_yaml(value) == (
        'metadata:\n  name: t1\n  labels:\n    a/b: "123"\n'
        "data:\n  tenant.yaml: |\n    domains:\n      - app.customer.com\n  line: " + "x" * 300 + "\n"
        "list:\n  - one\n  - two: 2\n    three: true\n"
    )


def test_equal_values_are_written_out() -> None:
    shared = ["a"]
    assert write_yaml({"one": shared, "two": shared}) == "one:\n  - a\ntwo:\n  - a\n"
