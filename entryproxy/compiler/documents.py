"""YAML documents inside ConfigMaps, decoded and validated against the model, with the path of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from entryproxy.compiler.advice import allowed_values, nearest_field
from entryproxy.compiler.findings import Rejected, warning
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap

T = TypeVar("T")
ParseYaml = Callable[[str], object]
"""Text → plain data of one strict YAML document; raises ValueError with a sentence that says where."""

_AT = re.compile(r"(?P<message>.*) - at `(?P<path>[^`]*)`", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_WRONG_WORD = re.compile(r"Invalid enum value ")
_NO_TEXT = re.compile(r"Expected `str`, got `(int|float|bool)`")


def decode(source: LabelledConfigMap, key: str, parse_yaml: ParseYaml) -> dict[str, Any]:
    """The mapping that `key` of the ConfigMap holds; an absent key or an empty document is an empty mapping."""
    try:
        value = parse_yaml(source.data.get(key, ""))
    except ValueError as problem:
        raise Rejected(key, str(problem)) from problem
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Rejected(f"{key}: $", "Expected a mapping of fields")
    return value


def validate(key: str, value: Mapping[str, Any], kind: type[T]) -> T:
    """`value` as `kind`; an error names the field, as in "tenant.yaml: $.limits.requestsPerSecond"."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as problem:
        message, path = str(problem), "$"
        if at := _AT.fullmatch(message):
            message, path = at["message"], at["path"]
        raise Rejected(*_told(key, path, message, kind)) from problem


def _told(key: str, path: str, message: str, kind: type) -> tuple[str, str]:
    """Field and message, with what may have been meant."""
    if unknown := _UNKNOWN_FIELD.fullmatch(message):
        nearest = nearest_field(kind, path, unknown["name"])
        meant = f" (do you mean {nearest}?)" if nearest else ""
        return f"{key}: {path}.{unknown['name']}", f"Unknown field{meant}"
    if _WRONG_WORD.match(message) and (words := allowed_values(kind, path)):
        return f"{key}: {path}", f"{message}; expected {', '.join(words)}"
    if _NO_TEXT.fullmatch(message):
        return f"{key}: {path}", f"{message}; put it in quotes"
    return f"{key}: {path}", message


def merge(defaults: Mapping[str, Any], own: Mapping[str, Any], part: str, kind: type[T]) -> T:
    """The part of a validated document ("limits", "timeouts"), field by field over the platform's defaults."""
    return msgspec.convert({**(defaults.get(part) or {}), **(own.get(part) or {})}, kind)


def unknown_keys(source: LabelledConfigMap, known: tuple[str, ...]) -> list[Finding]:
    """A misspelt key would otherwise be ignored in silence."""
    expected = " or ".join(known)
    return [
        warning(source, "UnknownKey", key, f"Nothing reads this key; expected {expected}")
        for key in source.data
        if key not in known
    ]
