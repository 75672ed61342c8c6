from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.kubernetes.nesting import DEPTH_MAX, any_depth, flatten

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('{}[]"\\,:a', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}[]"\\a', max_size=3), inner, max_size=3),
    max_leaves=20,
)


def nested(levels: int) -> bytes:
    """Objects and lists in turn, so many around each other."""
    openings = b'{"a}":[' * (levels // 2) + b'{"a":' * (levels % 2)
    return openings + b'"]"' + b"}" * (levels % 2) + b"]}" * (levels // 2)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(JSON)
def test_what_is_not_too_deep_stays_as_it_is(value: object) -> None:
    text = json.dumps(value).encode()
    assert flatten(text) == text


@pytest.mark.parametrize("levels", [DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, DEPTH_MAX + 2, 10_000, 100_001])
def test_what_is_too_deep_is_null(levels: int) -> None:
    flat = json.loads(flatten(nested(levels)))
    assert depth_of(flat) == min(levels, DEPTH_MAX)
    beside = json.loads(flatten(b'{"before":[1],"deep":%s,"after":{"b":"}"}}' % nested(levels)))
    assert (beside["before"], beside["after"]) == ([1], {"b": "}"})


@pytest.mark.parametrize("text", [b'{"a":"' + b'\\"' * 1_000_000, b'"' * 1_000_001, b"[" * 1_000_000, b"]" * 1_000_000])
def test_torn_text_takes_no_longer_than_other_text(text: bytes) -> None:
    """And is no more JSON than it was."""
    with pytest.raises(msgspec.DecodeError):
        any_depth(msgspec.json.decode)(flatten(text))


def test_a_decoder_of_any_depth() -> None:
    decode = any_depth(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
    found = decode(b'{"deep":%s,"shallow":[1]}' % nested(20_000))
    assert bytes(found["shallow"]) == b"[1]"
    assert bytes(decode(msgspec.Raw(b'{"a":1}'))["a"]) == b"1"
