"""Objects that are not written yet, judged by the real compiler: alone, or together with all that is there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from entryproxy.authoring.objects import Manifest
from entryproxy.authoring.verdict import Verdict, judge_change
from entryproxy.cli.judging import Judgement
from entryproxy.cli.neighbours import judge_neighbours
from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.compiler.findings import Rejected
from entryproxy.compiler.parsing import Parser
from entryproxy.config.manifests import read_object
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap, LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.provision.inventory import Inventory

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
    written = {one.reference for one in changed}
    together = Reading(changed=(*(one for one in reading.changed if one.reference not in written), *changed))
    of_releases = _judge_releases(together, after, now)
    # With thousands of them it takes a second each time, and mostly there is nothing that could have been there before.
    of_releases_before = _judge_releases(reading, before, now) if of_releases else []
    return after, judge_change(
        tenant,
        [*before.findings, *of_releases_before],
        [*after.findings, *of_releases],
        allow_uncovered=allow_uncovered,
    )


def _judge_releases(reading: Reading, compilation: Compilation, now: float) -> list[Finding]:
    """What `entryproxy check` would say of them in a folder, where only the documents are known."""
    judgement = Judgement(reading=reading, compilation=compilation, findings=(), now=now)
    try:
        return judge_neighbours(judgement, Inventory(), _entry_namespace(reading))
    except Rejected:
        # A tenant stays in force by its last good version; that this one is rejected the compiler has said.
        return []


def _entry_namespace(reading: Reading) -> str:
    """All ConfigMaps are read from there, EndpointSlices from everywhere."""
    return next((one.namespace for one in reading.changed if isinstance(one, LabelledConfigMap)), "")


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
