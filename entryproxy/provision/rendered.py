"""What Helm hands to a post-renderer: YAML documents in a row, each an object of the release.

Documents that need no change keep their bytes: dialects of YAML differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

_SEPARATOR = re.compile(r"^(---[ \t]*(?:[ \t]#[^\n]*)?\r?\n)", re.MULTILINE)
_LOOKS_LIKE_SEPARATOR = re.compile(r"^---", re.MULTILINE)  # to Helm, which splits without asking what is YAML

Load = Callable[[str], object]
"""Reads one document strictly, None for an empty one; raises ValueError."""
Dump = Callable[[object], str]
"""Writes one document."""


class RenderingError(Exception):
    """The release can't be installed like this; the message says which object and why, and nothing secret."""


class RenderedObject(msgspec.Struct, frozen=True):
    """A document and what it says. namespace: "" when it names none."""

    text: str
    body: dict[str, Any]
    group: str
    kind: str
    namespace: str
    name: str

    def refuse(self, why: str) -> RenderingError:
        return RenderingError(f"{self.kind} {self.name}: {why}")


class _Piece(msgspec.Struct, frozen=True):
    """separator: the line before it, "" for the first. parsed: None for a document that says nothing."""

    separator: str
    text: str
    parsed: RenderedObject | None


class Documents:
    """All of a release. Raises RenderingError when one can't be read, or isn't an object of Kubernetes."""

    def __init__(self, text: str, load: Load) -> None:
        first, *rest = _SEPARATOR.split(text)
        pieces = [("", first), *zip(rest[::2], rest[1::2], strict=True)]
        self._pieces = [_Piece(line, body, _read(body, number, load)) for number, (line, body) in enumerate(pieces, 1)]

    @property
    def objects(self) -> Sequence[RenderedObject]:
        return [piece.parsed for piece in self._pieces if piece.parsed is not None]

    def rewritten(self, change: Callable[[RenderedObject], Iterable[str]]) -> str:
        """change: the documents in an object's place."""
        output = []
        for piece in self._pieces:
            separator = piece.separator
            for text in [piece.text] if piece.parsed is None else change(piece.parsed):
                output.append(separator + text)
                separator = "---\n"
        return "".join(output)


def _read(text: str, number: int, load: Load) -> RenderedObject | None:
    try:
        body = load(text)
        if _LOOKS_LIKE_SEPARATOR.search(text):
            raise ValueError("a line that begins with ---")
    except ValueError as error:
        raise RenderingError(f"document {number} of the rendered chart can't be read: {error}") from None
    if body is None:
        return None
    if isinstance(body, dict) and isinstance(metadata := body.get("metadata"), dict):
        version, kind, name = body.get("apiVersion"), body.get("kind"), metadata.get("name")
        namespace = metadata.get("namespace") or ""
        if isinstance(version, str) and isinstance(kind, str) and isinstance(name, str) and isinstance(namespace, str):
            return RenderedObject(text, body, version.rpartition("/")[0], kind, namespace, name)
    raise RenderingError(f"document {number} of the rendered chart is not an object of Kubernetes with a name")
