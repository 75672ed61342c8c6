"""What is known of a chart, and why one can't be had."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_NAME = re.compile(r"[a-zA-Z0-9](?:[-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
"""What registries and folders take as well. Helm itself only refuses what leaves the folder."""


class ChartPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A packed chart that lies here. All who ask get the same one: its mappings aren't to be changed.

    name, version: as its Chart.yaml says. path: an absolute one, of the packed file. digest: SHA-256 in hex of what the
    package holds, wherever it came from and whenever it was packed. is_umbrella: higress-core is a subchart of it.
    values: its defaults, with those of every subchart below that one's name. definitions: the
    CustomResourceDefinitions of the chart and its subcharts, also of those that values would turn off.
    """

    name: str
    version: str
    path: str
    digest: str
    is_umbrella: bool
    values: dict[str, Any]
    definitions: tuple[dict[str, Any], ...]


class ChartError(Exception):
    """A chart that can't be had. message: for whoever wrote the tenant's document, without credentials. is_transient:
    the same request may succeed later although nobody changes the document."""

    def __init__(self, message: str, *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_transient = is_transient


def is_name(text: str) -> bool:
    """Whether a chart may be called so; what looks like a packed file's name is one."""
    return _NAME.fullmatch(text) is not None and not text.endswith(".tgz")


def is_same_version(one: str, other: str) -> bool:
    """ "v2.2.1" is 2.2.1; nothing else is equal to anything but itself."""
    return one.removeprefix("v") == other.removeprefix("v")
