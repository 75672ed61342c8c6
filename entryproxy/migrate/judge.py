"""One annotation and its value → a judgement, by the tables and by what stands beside it on the Ingress."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from entryproxy.migrate.annotations import ANNOTATIONS, PREFIX
from entryproxy.migrate.inventory import Ingress
from entryproxy.migrate.snippets import hint
from entryproxy.migrate.values import read_boolean, read_names, read_seconds, read_size
from entryproxy.migrate.verdicts import Judgement, Known, default, differs

VALUE_CHARACTERS_MAX = 80
_SNIPPETS = ("configuration-snippet", "server-snippet")
_COUNTS_ON_CANARY = re.compile(r"canary.*|load-balance|upstream-hash-by.*|affinity.*|session-cookie-.*")
_WEIGHT_BESIDE_MATCH = differs(
    "Beside canary-by-header or canary-by-cookie Higress ignores the weight; ingress-nginx goes on to it.",
    "Give the weight a canary Ingress of its own",
)
_ERRORS_WITHOUT_BACKEND = differs(
    "Higress lets errors pass unless the Ingress has default-backend too.", "Write default-backend beside it"
)
_NO_SIZE = default("Not a size that ingress-nginx accepts; it has no effect today.")
_NO_SECONDS = default("Not a number of seconds that ingress-nginx accepts; it has no effect today.")


def judge_ingress(ingress: Ingress, document: Mapping[str, Any]) -> tuple[Judgement, ...]:
    """All annotations of ingress-nginx on it, by name. document: `tenant.yaml` as it becomes, with the platform's
    values where it has none of its own; empty for nobody's."""
    return tuple(
        _judge(ingress, name.removeprefix(PREFIX), ingress.annotations[name], document)
        for name in sorted(ingress.annotations)
        if name.startswith(PREFIX)
    )


def judge_value(name: str, value: str, known: Known) -> Judgement:
    """A row of a table, applied to a value."""
    row = known.for_value(value)
    return Judgement(name=name, value=shorten(value), verdict=row.verdict, note=row.note, todo=row.todo)


def suggest(name: str, names: Iterable[str], noun: str) -> str:
    """What to say about a name that nobody knows."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return f"No {noun} of ingress-nginx." + (f" Was {close[0]} meant?" if close else "")


def shorten(value: str) -> str:
    """A value on one line, as far as a person needs it."""
    line = " ".join(value.split())
    return line if len(line) <= VALUE_CHARACTERS_MAX else line[: VALUE_CHARACTERS_MAX - 1] + "…"


def _judge(ingress: Ingress, name: str, value: str, document: Mapping[str, Any]) -> Judgement:
    if name not in ANNOTATIONS:
        note = suggest(name, ANNOTATIONS, "annotation")
        return Judgement(name=name, value=shorten(value), verdict="unknown", note=note)
    judgement = judge_value(name, value, _row(ingress, name, value))
    if judgement.verdict == "entry":
        return _with_field(judgement, ingress, document)
    if name in _SNIPPETS and judgement.verdict == "unsupported":
        return msgspec.structs.replace(judgement, todo=hint(value) or judgement.todo)
    return judgement


def _row(ingress: Ingress, name: str, value: str) -> Known:
    """The table's row, unless what stands beside it changes the matter."""
    if name != "ssl-passthrough" and read_boolean(ingress.setting("ssl-passthrough")):
        return default("Has no effect beside ssl-passthrough.")
    if is_canary(ingress) and not _COUNTS_ON_CANARY.fullmatch(name):
        return default("Has no effect on a canary, which has all this from the main Ingress.")
    if name == "canary-weight" and (ingress.setting("canary-by-header") or ingress.setting("canary-by-cookie")):
        return _WEIGHT_BESIDE_MATCH
    if name == "custom-http-errors" and not ingress.setting("default-backend"):
        return _ERRORS_WITHOUT_BACKEND
    if name == "proxy-body-size" and read_size(value) is None:
        return _NO_SIZE
    if name in ("proxy-read-timeout", "proxy-send-timeout") and read_seconds(value) is None:
        return _NO_SECONDS
    return ANNOTATIONS[name]


def is_canary(ingress: Ingress) -> bool:
    """It only adds a backend to the main Ingress of the same host and path."""
    return bool(read_boolean(ingress.setting("canary")))


_PATHS = {
    "proxy-body-size": ("limits.requestBodyBytes",),
    "proxy-read-timeout": ("timeouts.firstByte", "timeouts.idle"),
    "proxy-send-timeout": ("timeouts.idle",),
    "ssl-redirect": ("httpsRedirect",),
    "force-ssl-redirect": ("httpsRedirect",),
}
_READ: Mapping[str, Callable[[str], object]] = {
    "proxy-body-size": read_size,
    "proxy-read-timeout": read_seconds,
    "proxy-send-timeout": read_seconds,
    "ssl-redirect": read_boolean,
    "force-ssl-redirect": read_boolean,
}


def _with_field(judgement: Judgement, ingress: Ingress, document: Mapping[str, Any]) -> Judgement:
    """What it becomes. It differs when the tenant's one value is another one than the Ingress's own."""
    name = judgement.name
    if name == "server-alias":
        return msgspec.structs.replace(judgement, field=f"domains: {', '.join(read_names(ingress.setting(name)))}")
    values = {path: value for path in _PATHS.get(name, ()) if (value := _at(document, path)) is not None}
    field = ", ".join(f"{path}: {msgspec.json.encode(value).decode()}" for path, value in values.items())
    is_kept = not values or next(iter(values.values())) == _READ[name](ingress.setting(name))
    return msgspec.structs.replace(judgement, field=field, verdict="entry" if is_kept else "differs")


def _at(document: Mapping[str, Any], path: str) -> object:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
