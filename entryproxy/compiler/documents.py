"""YAML documents inside ConfigMaps, decoded and validated against the model, with the path of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from entryproxy.compiler.findings import Rejected, warning
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap

T = TypeVar("T")
ParseYaml = Callable[[str], object]
"""Text → plain data of one strict YAML document; raises ValueError with a sentence that says where."""

_AT = re.compile(r"(?P<message>.*) - at `(?P<path>[^`]*)`", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")


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
        if unknown := _UNKNOWN_FIELD.fullmatch(message):
            message, path = "Unknown field", f"{path}.{unknown['name']}"
        raise Rejected(f"{key}: {path}", message) from problem


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
