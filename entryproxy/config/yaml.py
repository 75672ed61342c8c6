"""Strict YAML: plain data only, from libyaml's events, in time and memory proportional to the text.

Objects are built from events rather than by the library's composer, because that one recurses in C (deep nesting ends
the process), follows aliases (a few lines then unfold into gigabytes) and takes the last of two equal keys in
silence. Scalars are read by the core schema of YAML 1.2 (§10.3.2): `yes`, `on`, `1:30`, `012` and dates stay text, so
that nothing is a surprise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

CHARACTERS_MAX = 1_048_576
"""What a Kubernetes object may hold, so more than any document in one needs."""
DEPTH_MAX = 50

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?")


class YamlError(ValueError):
    """A text that is not one strict YAML document. line: 1 for the first."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line


def parse_yaml(text: str, characters_max: int = CHARACTERS_MAX) -> object:
    """The one document in `text` as dicts with string keys, lists, str, int, float, bool and None; None for no
    document.

    Raises YamlError for anything else: syntax, several documents, anchors, aliases, tags, merge keys, equal keys,
    keys that are not strings, nesting deeper than DEPTH_MAX.
    """
    if len(text) > characters_max:
        raise YamlError(f"longer than {characters_max} characters", 1)
    builder = _Builder()
    for event in _events(text):
        builder.take(event)
    return builder.document


def _events(text: str) -> Iterator[Any]:
    try:
        loader = yaml.CSafeLoader(text)
        while (event := loader.get_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        raise YamlError(problem.problem or "not YAML", mark.line + 1 if mark is not None else 1) from None
    except (yaml.YAMLError, UnicodeError):
        raise YamlError("a character that YAML does not allow", 1) from None


class _Builder:
    """Events in, data out, with a stack of open collections instead of recursion."""

    __slots__ = ("_documents", "_keys", "_open", "document")

    def __init__(self) -> None:
        self.document: object = None
        self._documents = 0
        self._open: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str | None] = []  # for each open collection the key that waits for its value

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._begin(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._open.pop()
            self._keys.pop()
        elif kind is yaml.AliasEvent:
            raise _refuse(event, "aliases are not allowed")
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise _refuse(event, "a second document")

    def _begin(self, event: Any, collection: dict[str, Any] | list[Any]) -> None:
        _check_plain(event)
        if len(self._open) >= DEPTH_MAX:
            raise _refuse(event, f"nested deeper than {DEPTH_MAX}")
        if self._awaits_key():
            raise _refuse(event, "a key that is not a string")
        self._add(collection)
        self._open.append(collection)
        self._keys.append(None)

    def _scalar(self, event: Any) -> None:
        _check_plain(event)
        value = event.value if event.style else resolve_scalar(event.value)
        if not self._awaits_key():
            self._add(value)
            return
        if not isinstance(value, str):
            raise _refuse(event, f"the key {event.value or '(nothing)'} is not a string; put it in quotes")
        if value == "<<" and not event.style:
            raise _refuse(event, "merge keys are not allowed")
        if value in self._open[-1]:
            raise _refuse(event, f'the key "{value}" a second time')
        self._keys[-1] = value

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._keys[-1] is None and isinstance(self._open[-1], dict)

    def _add(self, value: object) -> None:
        if not self._open:
            self.document = value
            return
        collection = self._open[-1]
        if isinstance(collection, list):
            collection.append(value)
        else:
            key = self._keys[-1]
            if key is not None:
                collection[key] = value
                self._keys[-1] = None


def _check_plain(event: Any) -> None:
    if event.anchor is not None:
        raise _refuse(event, "anchors are not allowed")
    if event.tag is not None and event.tag != "!":
        raise _refuse(event, f"the tag {event.tag} is not allowed")


def _refuse(event: Any, message: str) -> YamlError:
    return YamlError(message, event.start_mark.line + 1)


def resolve_scalar(text: str) -> object:
    """A plain scalar by the core schema; the infinities and not-a-number stay text, no setting wants them."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
