"""Pure: what Helm says on standard error → a kind of error that the controller acts on, and a sentence for people."""

from __future__ import annotations

import re
from typing import Literal

KINDS = Literal[
    "in_progress",  # another operation on this release, or one that was killed: its history decides
    "ownership",  # an object exists that isn't this release's
    "forbidden",
    "unreachable",  # the API server, or a chart's repository
    "not_found",
    "immutable",  # a field that only a new object can change
    "conflict",
    "quota",
    "terminating",  # the namespace is being deleted
    "timed_out",
    "no_deployed",  # nothing to upgrade from: uninstall first
    "missing_kind",  # a custom resource that the cluster doesn't know
    "rejected",  # the chart, its values or an object is wrong; trying again doesn't help
    "unrecorded",  # objects are as wanted, but the history doesn't say so
    "unsupported",  # a version of Helm that we don't know
    "killed",  # by a signal that wasn't ours, such as the kernel's when memory is short
    "unknown",
]

MESSAGE_CHARACTERS_MAX = 1000

# The first that is found decides: what is rarer and says more stands before what appears in many messages.
_SIGNS: tuple[tuple[KINDS, str], ...] = (
    ("in_progress", r"another operation .* is in progress|release: already exists|name that is still in use"),
    ("terminating", r"because it is being terminated"),
    ("quota", r"exceeded quota"),
    ("ownership", r"invalid ownership metadata"),
    (
        "unreachable",
        r"cluster unreachable|cannot be reached|connection refused|connection reset|no such host|i/o timeout"
        r"|TLS handshake|x509:|no route to host",
    ),
    ("forbidden", r"is forbidden|Unauthorized|asked for the client to provide credentials"),
    ("conflict", r"Apply failed with \d+ conflict|the object has been modified"),
    ("immutable", r"field is immutable"),
    ("missing_kind", r"no matches for kind|ensure CRDs are installed first"),
    ("no_deployed", r"has no deployed releases"),
    ("timed_out", r"context deadline exceeded|timed out|context canceled"),
    (
        "rejected",
        r"is invalid|field not declared in schema|failed to create typed patch object|unknown field|denied the request"
        r"|don't meet the specifications of the schema|^template:|execution error at|YAML parse error|cannot unmarshal"
        r"|failed to parse|Request entity too large|reserved label name|Chart\.yaml"
        r"|invalid reference|reference and version mismatch",
    ),
    ("not_found", r"not found|no such file or directory|release has no \d+ version"),
)
_PATTERNS = tuple((kind, re.compile(pattern, re.MULTILINE)) for kind, pattern in _SIGNS)

_UNRECORDED = "failed to record the release"
_ERROR = re.compile(r"^Error: ((?:UPGRADE|INSTALLATION) FAILED: )?", re.MULTILINE)
# What the API server quotes of an object: a string, or anything up to the last colon before the reason.
_VALUE = re.compile(r'\b((?:Invalid|Unsupported|Duplicate) value)(?:: "(?:[^"\\]|\\.)*"|: .*(?=: )|: .*)')
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


class HelmError(Exception):
    """An operation that failed. message: one line without values, at most MESSAGE_CHARACTERS_MAX characters."""

    def __init__(self, kind: KINDS, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def failure(stderr: str) -> HelmError:
    """What a failed Helm said. Without any `Error:` line, its last words."""
    found = _ERROR.search(stderr)
    text = stderr[found.end() :] if found else (stderr.strip().splitlines() or [""])[-1]
    message = clean(text.partition("\n")[0])
    return HelmError(kind_of(text), message or "Helm failed without a word")


def unrecorded(stderr: str) -> HelmError | None:
    """Helm can end in success although its last write of the history failed; the next one then meets a pending one."""
    if _UNRECORDED not in stderr:
        return None
    return HelmError("unrecorded", "the objects are applied, but Helm could not record that the release is deployed")


def kind_of(text: str) -> KINDS:
    """The kind of an error, from its words."""
    return next((kind for kind, pattern in _PATTERNS if pattern.search(text)), "unknown")


def clean(text: str) -> str:
    """One printable line, without what the API server quotes of an object's values and without a URL's credentials."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = _CREDENTIALS.sub("", _VALUE.sub(r"\1", line))
    return line if len(line) <= MESSAGE_CHARACTERS_MAX else line[: MESSAGE_CHARACTERS_MAX - 1] + "…"
