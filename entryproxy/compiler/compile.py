"""The compiler: every labelled object in, the platform and the tenants in force out, with findings.

Between two runs it remembers, by object, what each one meant and, by label value, what the objects came to together.
A run after one change costs a glance at every object and work for the tenants that it touches; all others stay the
same objects, which is how `Snapshot.difference` and the workers know them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from entryproxy.compiler.assembly import Context, assemble_platform
from entryproxy.compiler.claims import Lost, resolve
from entryproxy.compiler.documents import ParseYaml
from entryproxy.compiler.groups import Group, report_later_ones
from entryproxy.compiler.parsing import Entry, Parser
from entryproxy.compiler.platform import PlatformDraft
from entryproxy.compiler.recall import recall, recall_settings
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import LabelledObject
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform, Tenant


class Compilation(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force. platform: None as long as no settings have ever been good. tenants: by id.

    stale_at: Unix seconds from when the same objects compile to something else (a certificate begins to be valid, or
    nears its end), infinite if never; compile again by then.
    """

    platform: Platform | None
    tenants: Mapping[str, Tenant]
    findings: tuple[Finding, ...]
    stale_at: float = math.inf


class Compiler:
    """One per source; `compile` takes the whole list of objects every time."""

    def __init__(self, parse_yaml: ParseYaml, *, endpoints_known: bool = False) -> None:
        """parse_yaml: strict, see compiler.documents. endpoints_known: the source watches EndpointSlices."""
        self._parser = Parser(parse_yaml, endpoints_known=endpoints_known)
        self._by_identity: dict[int, Entry] = {}
        self._by_reference: dict[str, Entry] = {}
        self._recalled: dict[str, Entry] = {}
        self._groups: dict[str, Group] = {}
        self._system = Group()
        self._settings: PlatformDraft | None = None
        self._platform: Platform | None = None
        self._context = Context(system_domain="", https_redirect=True, system_names=frozenset(), defaults={})
        self._lost: dict[str, Lost] = {}
        self._tenants: dict[str, Tenant] = {}
        self._is_first = True

    def resume(self, running: Snapshot) -> None:
        """Before the first run: what an earlier compiler brought in force is the last good version of its objects."""
        entries = recall(running)
        self._recalled = {entry.source.reference: entry for entry in entries}
        self._by_reference = dict(self._recalled)
        self._by_identity = {id(entry.source): entry for entry in entries}
        self._settings = recall_settings(running.platform)

    def compile(self, objects: Iterable[LabelledObject], now: float, unread: Set[str] = frozenset()) -> Compilation:
        """`objects`: all there are, unchanged ones preferably as the same Python objects. `now` in Unix seconds.

        unread: references of objects that are there but can't be read, "" for those of which not even that is known.
        What `resume` was told of them stays in force; later versions are the source's to remember.
        """
        entries, touched = self._parse(objects, now, unread)
        self._regroup(entries, touched)
        dirty = touched - {SYSTEM}
        if (SYSTEM in touched or self._is_first) and self._compile_platform():
            dirty |= self._groups.keys()
        self._is_first = False
        if dirty:
            self._compile_tenants(dirty)
        findings = [finding for entry in entries if entry.findings for finding in entry.findings]
        findings += self._system.findings
        findings += [finding for group in self._groups.values() if group.findings for finding in group.findings]
        return Compilation(
            platform=self._platform,
            tenants=self._tenants,
            findings=tuple(findings),
            stale_at=min((entry.stale_at for entry in entries), default=math.inf),
        )

    def _parse(self, objects: Iterable[LabelledObject], now: float, unread: Set[str]) -> tuple[list[Entry], set[str]]:
        """An entry per object, and the label values whose objects are not what they were."""
        known, by_identity = self._by_identity, {}
        entries: list[Entry] = []
        touched: set[str] = set()
        for source in objects:
            entry = known.get(id(source))  # entries keep their object alive, so that the id stays its own
            if entry is None or now >= entry.stale_at:
                entry = self._parse_again(source, now, touched)
            by_identity[id(source)] = entry
            entries.append(entry)
        for entry in self._still_unread(entries, unread):
            by_identity[id(entry.source)] = entry
            entries.append(entry)
            if self._is_first:
                touched.add(entry.tenant)
        if touched or by_identity.keys() != known.keys():
            by_reference = {entry.source.reference: entry for entry in entries}
            gone = self._by_reference.keys() - by_reference.keys()
            touched.update(self._by_reference[reference].tenant for reference in gone)
            self._by_reference = by_reference
        self._by_identity = by_identity
        return entries, touched

    def _still_unread(self, entries: Sequence[Entry], unread: Set[str]) -> list[Entry]:
        """Recalled entries whose objects may still be there; the others have been read by now, or are gone."""
        if not self._recalled:
            return []
        present = {entry.source.reference for entry in entries}
        self._recalled = {
            reference: entry
            for reference, entry in self._recalled.items()
            if reference not in present and ("" in unread or reference in unread)
        }
        return list(self._recalled.values())

    def _parse_again(self, source: LabelledObject, now: float, touched: set[str]) -> Entry:
        previous = self._by_reference.get(source.reference)
        if previous is not None:
            if previous.source == source and now < previous.stale_at:
                previous.source = source
                return previous
            touched.add(previous.tenant)
        touched.add(source.tenant)
        return self._parser.parse(source, previous, now)

    def _regroup(self, entries: list[Entry], touched: set[str]) -> None:
        """Give the touched groups their objects; a group without any is left empty for `_compile_tenants` to drop."""
        members: dict[str, list[Entry]] = {key: [] for key in sorted(touched)}
        if touched:
            for entry in entries:
                if entry.tenant in touched:
                    members[entry.tenant].append(entry)
        for key, found in members.items():
            group = self._system if key == SYSTEM else self._groups.setdefault(key, Group())
            group.replace(found)

    def _compile_platform(self) -> bool:
        """Whether tenants take anything else from the platform now.

        Settings once in force stay until others replace them: without a system domain nothing could be served.
        """
        group = self._system
        group.findings = []
        for entry in group.config_maps:
            if isinstance(entry.draft, PlatformDraft):
                self._settings = entry.draft
                what = "the platform's settings"
                group.findings += report_later_ones(group.config_maps, entry, "DuplicateSettings", what)
                break
        if not group.config_maps:
            group.findings.append(_no_settings(is_kept=self._settings is not None))
        if self._settings is None:
            return False
        platform, context, problems = assemble_platform(self._settings, group.secrets)
        group.findings += problems
        if platform != self._platform:
            self._platform = platform
        is_changed = context != self._context
        self._context = context
        return is_changed

    def _compile_tenants(self, dirty: set[str]) -> None:
        """Assemble the dirty groups, and those that win or lose a host by it."""
        have_claims_changed = False
        for key in dirty:
            have_claims_changed |= self._groups[key].choose_tenant()
        if have_claims_changed:
            lost = resolve(group.claim for group in self._groups.values() if group.claim is not None)
            dirty = dirty | {key for key in lost.keys() | self._lost.keys() if lost.get(key) != self._lost.get(key)}
            self._lost = lost
        tenants = dict(self._tenants)
        for key in sorted(dirty):
            group = self._groups[key]
            group.assemble(self._lost.get(key, ()), self._context)
            if group.in_force is not None:
                tenants[key] = group.in_force
            else:
                tenants.pop(key, None)
            if not group.config_maps and not group.secrets:
                del self._groups[key]
        self._tenants = tenants


def _no_settings(*, is_kept: bool) -> Finding:
    consequence = "the last settings stay in force" if is_kept else "nothing is served"
    return Finding(
        severity="error",
        reason="NoSettings",
        object="ConfigMap",
        field="settings.yaml",
        message=f'No ConfigMap with the label value "{SYSTEM}" declares the system domain; {consequence}',
        tenant=SYSTEM,
    )
