"""Mappings laid over each other, the way Helm does it with values files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: mappings are merged key by key, everything else is replaced, lists too.

    A null replaces as well and stays: it tells Helm to drop the chart's own default. Neither argument is changed, and
    no mapping of the result is one of theirs.
    """
    merged = {key: copy(value) for key, value in base.items()}
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = copy(value)
    return merged


def copy(value: Any) -> Any:
    """The same value with mappings and lists of its own."""
    if isinstance(value, Mapping):
        return {key: copy(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [copy(below) for below in value]
    return value
