"""Objects that are not written yet, judged by the real compiler: alone, or together with all that is there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from entryproxy.authoring.objects import Manifest
from entryproxy.authoring.verdict import Verdict, judge_change
from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.compiler.parsing import Parser
from entryproxy.config.manifests import read_object
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading

_NOT_CREATED = "9999-12-31T23:59:59Z"
"""Younger than everything that is there, whatever our clock says and the API server's."""


def judge_alone(manifests: Iterable[Manifest]) -> list[Finding]:
    """What is to be said about each object, whatever else there is."""
    parser, now = Parser(parse_yaml, endpoints_known=True), time.time()
    return [finding for one in manifests for finding in parser.parse(_labelled(one, None), None, now).findings]


def judge_together(
    tenant: str,
    reading: Reading,
    candidates: Sequence[tuple[Manifest, Manifest | None]],
    *,
    allow_uncovered: bool,
) -> tuple[Compilation, Verdict]:
    """What would be in force with the candidates, and whether they may be written.

    candidates: each object with what it is in the cluster, None for a new one, which is younger than all others.
    """
    now = time.time()
    compiler = Compiler(parse_yaml, endpoints_known=True)
    before = compiler.compile(reading, now)
    changed = tuple(_labelled(wanted, present) for wanted, present in candidates)
    after = compiler.compile(Reading(changed=changed, findings=reading.findings, unread=reading.unread), now)
    return after, judge_change(tenant, before.findings, after.findings, allow_uncovered=allow_uncovered)


def _labelled(manifest: Manifest, present: Manifest | None) -> LabelledObject:
    """As the entry would read it; one that is there keeps its age, which decides who owns a host."""
    identity = present["metadata"] if present else {}
    metadata = {
        **manifest["metadata"],
        "uid": identity.get("uid"),
        "creationTimestamp": identity.get("creationTimestamp") or _NOT_CREATED,
    }
    namespace = manifest["metadata"]["namespace"]
    labelled = read_object({**manifest, "metadata": metadata}, namespace, "")
    assert labelled is not None, "what is written carries the label"
    return labelled
