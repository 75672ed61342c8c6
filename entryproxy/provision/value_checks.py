"""A tenant's own values, judged before anything is written: what the chart doesn't read, Helm stores and ignores
without a word, and the Higress chart has no schema."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from entryproxy.provision.merging import merge
from entryproxy.provision.problems import Problem
from entryproxy.provision.values import CORE

FREE_FORM = frozenset({"env", "labels", "podLabels", "annotations", "podAnnotations", "limits", "requests", "probe"})
"""Mappings with these names hold whatever Kubernetes allows there, also where the chart fills in an example."""
FREE_FORM_PATHS = frozenset({"meshConfig", "tracing", "gateway.metrics.podMonitorSelector"})
"""Handed on as they are: what may be there is Istio's, Higress's and the Prometheus operator's to say."""
READ_WITHOUT_DEFAULT = frozenset({"gateway.imagePullSecrets"})
"""What templates read although the chart's values don't show it."""
ROOT = "release.values"
PROBLEMS_MAX = 20
"""More than a person mends at once. A document can have a hundred thousand, each compared with all keys beside it."""
KEY_CHARACTERS_MAX = 100


def check_values(values: Mapping[str, Any], chart_values: Mapping[str, Any], *, umbrella: bool) -> list[Problem]:
    """Every key of `values` against the chart's.

    chart_values: the defaults of the chart; of the umbrella, those of every subchart below its name, with {} for one
    that isn't known. Keys below a mapping that is empty in the chart are free. At most PROBLEMS_MAX are told.
    """
    known = _with_globals(chart_values) if umbrella else chart_values
    return [
        Problem(f"{ROOT}.{path}", message, "InvalidValue")
        for path, message in itertools.islice(
            _judge_mapping(values, known, "", _Prefixes(chart_values, umbrella)), PROBLEMS_MAX
        )
    ]


class _Prefixes:
    """Knows when a key that the chart doesn't have would be right with the prefix `higress-core`, or without."""

    def __init__(self, chart_values: Mapping[str, Any], umbrella: bool) -> None:
        core = chart_values.get(CORE)
        self._core = core if umbrella and isinstance(core, Mapping) else {}
        self._umbrella = umbrella

    def advice(self, path: str) -> str:
        """ "" when the prefix isn't what is wrong."""
        if self._umbrella and path in self._core:
            return f"the umbrella chart ignores it here: write it as {CORE}.{path}"
        if self._umbrella and path == f"{CORE}.global":
            return "it belongs to the top, where it wins: write it as global"
        if not self._umbrella and path == CORE:
            return f"the chart is {CORE} itself: leave this prefix out"
        return ""


def _with_globals(chart_values: Mapping[str, Any]) -> dict[str, Any]:
    """Subcharts read `global` from the top, where it wins over their own."""
    known = dict(chart_values)
    for subchart in chart_values.values():
        if isinstance(subchart, Mapping) and isinstance(subchart.get("global"), Mapping):
            known["global"] = merge(subchart["global"], known.get("global") or {})
    core = known.get(CORE)
    if isinstance(core, Mapping):
        known[CORE] = {key: value for key, value in core.items() if key != "global"}
    return known


def _judge_mapping(
    values: Mapping[str, Any], known: Mapping[str, Any], path: str, prefixes: _Prefixes
) -> Iterator[tuple[str, str]]:
    is_free = not known or path.removeprefix(f"{CORE}.") in FREE_FORM_PATHS or path.rpartition(".")[2] in FREE_FORM
    for key, value in values.items():
        below = f"{path}.{_shown(key)}" if path else _shown(key)
        if key in known:
            yield from _judge(value, known[key], below, prefixes)
        elif not is_free and below.removeprefix(f"{CORE}.") not in READ_WITHOUT_DEFAULT:
            yield below, prefixes.advice(below) or _unknown(_shown(key), path, known)


def _judge(value: Any, default: Any, path: str, prefixes: _Prefixes) -> Iterator[tuple[str, str]]:
    if value is None or default is None:
        return  # null drops the default; a default of null says nothing about the type
    wanted, given = _kind(default), _kind(value)
    if wanted == given == "a mapping":
        yield from _judge_mapping(value, default, path, prefixes)
    elif wanted != given and not (wanted == "a string" and given == "a number"):
        yield path, f"the chart has {wanted} here, and this is {given}"


def _kind(value: Any) -> str:
    """A string where the chart has a boolean counts as wrong: to a template, "false" is true."""
    match value:
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
    return "a string"


def _shown(key: object) -> str:
    text = str(key)
    return text if len(text) <= KEY_CHARACTERS_MAX else f"{text[:KEY_CHARACTERS_MAX]}…"


def _unknown(key: str, path: str, known: Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(key, [str(one) for one in known], n=1)
    if not nearest:
        return "the chart has no such key"
    return f"the chart has no such key: do you mean {path + '.' if path else ''}{nearest[0]}?"
