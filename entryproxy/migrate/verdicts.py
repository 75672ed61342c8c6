"""What can become of an annotation or option, and the rows of the tables that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

Verdict = Literal["entry", "gateway", "default", "differs", "unsupported", "unknown"]
"""entry: becomes a field of tenant.yaml or settings.yaml. gateway: belongs on the Ingress that the tenant's Higress
reads. default: nothing to do. differs: behaviour changes. unsupported: has to be replaced by hand. unknown: nothing of
ingress-nginx."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A row: the verdict, one sentence why, and what is to be done, "" for nothing.

    on: other rows for values that match a regular expression as a whole, whatever their case; the first one counts.
    """

    verdict: Verdict
    note: str
    todo: str = ""
    on: Mapping[str, Known] = {}

    def for_value(self, value: str) -> Known:
        """The row for this value."""
        text = value.strip()
        for pattern, known in self.on.items():
            if re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL):
                return known
        return self


class Judgement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One annotation or option, judged. field: what it becomes, as in "limits.requestBodyBytes: 52428800"."""

    name: str
    value: str
    verdict: Verdict
    note: str
    todo: str = ""
    field: str = ""


def entry(note: str, todo: str = "", on: Mapping[str, Known] | None = None) -> Known:
    return Known(verdict="entry", note=note, todo=todo, on=on or {})


def gateway(note: str, todo: str = "", on: Mapping[str, Known] | None = None) -> Known:
    return Known(verdict="gateway", note=note, todo=todo, on=on or {})


def default(note: str, on: Mapping[str, Known] | None = None) -> Known:
    return Known(verdict="default", note=note, on=on or {})


def differs(note: str, todo: str = "", on: Mapping[str, Known] | None = None) -> Known:
    return Known(verdict="differs", note=note, todo=todo, on=on or {})


def unsupported(note: str, todo: str, on: Mapping[str, Known] | None = None) -> Known:
    return Known(verdict="unsupported", note=note, todo=todo, on=on or {})


TRUE = "1|t|true"
FALSE = "0|f|false"
"""What Go's ParseBool, and so ingress-nginx, takes for true and false."""

OFF = default("Switched off, as it is here anyway.")
