from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entryproxy.migrate.annotations import ANNOTATIONS
from entryproxy.migrate.annotations.removed import REMOVED
from entryproxy.migrate.options import OPTIONS
from entryproxy.migrate.verdicts import Known

FOLDER = Path(__file__).parent
DOCUMENTED_ANNOTATIONS = (FOLDER / "documented-annotations.txt").read_text().split()
"""Of ingress-nginx 1.15: the user guide's annotations.md and annotations-risk.md, without the prefix."""
DOCUMENTED_OPTIONS = (FOLDER / "documented-options.txt").read_text().split()
"""Of its configmap.md."""


def rows() -> Iterator[tuple[str, Known]]:
    """Every row of both tables, those for single values too."""
    for name, known in (*ANNOTATIONS.items(), *OPTIONS.items()):
        yield name, known
        for pattern, other in known.on.items():
            yield f"{name} {pattern}", other


def test_every_documented_annotation_is_known() -> None:
    assert [name for name in DOCUMENTED_ANNOTATIONS if name not in ANNOTATIONS] == []
    assert len(DOCUMENTED_ANNOTATIONS) == 138


def test_nothing_else_is_known_but_what_was_removed() -> None:
    assert set(ANNOTATIONS) - set(DOCUMENTED_ANNOTATIONS) == set(REMOVED)


def test_every_documented_option_is_known() -> None:
    assert [name for name in DOCUMENTED_OPTIONS if name not in OPTIONS] == []
    assert len(DOCUMENTED_OPTIONS) == 195


@pytest.mark.parametrize(("name", "known"), list(rows()))
def test_rows_are_sentences(name: str, known: Known) -> None:
    assert re.fullmatch(r"([A-Z0-9]|ingress-nginx |gRPC |timeouts\.|`).*[^.]\.", known.note), known.note
    assert not known.todo or re.fullmatch(r"[A-Z].*[^.]", known.todo), known.todo
    assert known.verdict != "unsupported" or known.todo, "what can't be kept has to be replaced"
    assert known.verdict not in ("default", "unknown") or not known.todo, "nothing to do"
    for pattern in known.on:
        re.compile(pattern)
