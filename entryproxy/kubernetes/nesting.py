"""JSON that is nested deeper than the decoder goes, which is as deep as Python's stack allows.

The API server takes 10,000 levels, in managed fields for one: whatever a client says they are. One such object, in any
namespace, would keep everybody else's from being read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

T = TypeVar("T")

DEPTH_MAX = 50
"""Levels that are kept. What we read of a list lies within ten."""
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
"""A string, or what opens or closes a level; possessive, so that torn text costs no more than whole."""


def any_depth(decode: Callable[[bytes | msgspec.Raw], T]) -> Callable[[bytes | msgspec.Raw], T]:
    """`decode` for JSON of any depth: where it is too much, what is nested deeper than DEPTH_MAX reads as null."""

    def decode_any(text: bytes | msgspec.Raw) -> T:
        try:
            return decode(text)
        except RecursionError:
            return decode(flatten(bytes(text)))

    return decode_any


def flatten(text: bytes) -> bytes:
    """The JSON with null in place of everything nested deeper than DEPTH_MAX. Something torn stays torn."""
    return b"".join(_kept(text))


def _kept(text: bytes) -> Iterator[bytes]:
    depth = start = 0
    for token in _TOKEN.finditer(text):
        kind = token[0][:1]
        if kind in b"{[":
            depth += 1
            if depth == DEPTH_MAX + 1:
                yield text[start : token.start()]
                yield b"null"
                start = len(text)
        elif kind in b"}]":
            depth -= 1
            if depth == DEPTH_MAX:
                start = token.end()
    yield text[start:]
