"""Plain data → YAML for people and for kubectl: block style, keys in the given order, long texts as literal blocks.

What is written reads back as the same data under YAML 1.1 (kubectl's reader) and under the core schema of YAML 1.2
(`config.yaml`): text that either of them would take for something else is quoted.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from entryproxy.config.yaml import resolve_scalar

_NEEDS_ESCAPES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
"""Line breaks other than ours (the library writes some of them as they are and reads them as others) and controls."""


def write_yaml(value: object) -> str:
    """One document of dicts with string keys, lists, str, int, float, bool and None."""
    # A width beyond every line: folding would break PEM and make differences in Git hard to read.
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return text


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key, as in the documentation of Kubernetes, and no aliases for equal values."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _NEEDS_ESCAPES.search(text) or not isinstance(resolve_scalar(text), str):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
