from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.provision.merging import copy, merge

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2)
KEYS = st.sampled_from("abc")
VALUES = st.recursive(LEAVES, lambda below: st.lists(below, max_size=2) | st.dictionaries(KEYS, below, max_size=3))
MAPPINGS = st.dictionaries(KEYS, VALUES, max_size=3)


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 5}, {"a": 5}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
    ],
)
def test_merge(base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge(base, over) == merged


@given(MAPPINGS, MAPPINGS)
def test_arguments_stay_and_share_nothing_with_the_result(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = deepcopy((base, over))
    scribble(merge(base, over))
    assert (base, over) == before


@given(MAPPINGS, MAPPINGS)
def test_what_was_laid_over_is_found_there(base: dict[str, Any], over: dict[str, Any]) -> None:
    merged = merge(base, over)
    assert merge(merged, over) == merged
    assert set(merged) == set(base) | set(over)


@given(MAPPINGS, MAPPINGS, MAPPINGS)
def test_a_layer_of_scalars_hides_all_below(base: dict[str, Any], middle: dict[str, Any], top: dict[str, Any]) -> None:
    flat = dict.fromkeys(top, 1)
    assert merge(merge(base, middle), flat) == merge(base, merge(middle, flat))


@given(MAPPINGS)
def test_empty_layers_change_nothing(values: dict[str, Any]) -> None:
    assert merge(values, {}) == merge({}, values) == copy(values) == values


def scribble(value: Any) -> None:
    """Change every mapping and list inside."""
    if isinstance(value, dict):
        for below in value.values():
            scribble(below)
        value["scribbled"] = True
    elif isinstance(value, list):
        for below in value:
            scribble(below)
        value.append("scribbled")
