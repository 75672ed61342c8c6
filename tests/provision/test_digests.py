from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from entryproxy.provision.digests import DIGEST_ANNOTATION, canonical_digest, manifest_digest

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=4)
)


def reverse(value: Any) -> Any:
    """The same, with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: reverse(below) for key, below in reversed(value.items())}
    return [reverse(below) for below in value] if isinstance(value, list) else value


@given(VALUES)
def test_order_of_keys_does_not_count(value: Any) -> None:
    assert canonical_digest(value) == canonical_digest(reverse(value))


@given(VALUES, VALUES)
def test_different_things_differ(one: Any, other: Any) -> None:
    is_same = repr(sort(one)) == repr(sort(other))  # 1 and True are equal to Python only
    assert (canonical_digest(one) == canonical_digest(other)) is is_same


def sort(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value)}
    return [sort(below) for below in value] if isinstance(value, list) else value


def test_order_of_lists_counts() -> None:
    assert canonical_digest([1, 2]) != canonical_digest([2, 1])


@given(VALUES)
def test_fits_a_label(value: Any) -> None:
    assert re.fullmatch("[0-9a-f]{63}", canonical_digest(value))


def test_a_manifest_s_digest_leaves_its_own_annotation_out() -> None:
    bare: dict[str, Any] = {"kind": "Namespace", "metadata": {"name": "a"}}
    digest = manifest_digest(bare)
    marked = {"kind": "Namespace", "metadata": {"name": "a", "annotations": {DIGEST_ANNOTATION: digest}}}
    other = {"kind": "Namespace", "metadata": {"name": "a", "annotations": {"other": "x"}}}
    assert manifest_digest(marked) == digest != manifest_digest(other)
    assert bare == {"kind": "Namespace", "metadata": {"name": "a"}}
