"""The compiler: what changed among the labelled objects in, the platform and the tenants in force out, with findings.

It remembers, by object, what each one meant and, by label value, what the objects came to together. A change of one
object costs work for the tenants that it touches and nothing for all others, which stay the same Python objects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set

import msgspec
from immutables import Map

from entryproxy.compiler.assembly import Context, assemble_platform, tenants_concerned
from entryproxy.compiler.claims import Claims
from entryproxy.compiler.documents import ParseYaml
from entryproxy.compiler.entries import Entries
from entryproxy.compiler.groups import Group, report_later_ones
from entryproxy.compiler.parsing import Entry, Parser
from entryproxy.compiler.platform import PlatformDraft
from entryproxy.compiler.recall import recall, recall_settings
from entryproxy.compiler.remarks import Remarks
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import ENDPOINT_SLICE, LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform, Tenant


class Compilation(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force. platform: None as long as no settings have ever been good. tenants: by id. findings: the same
    tuple as after the run before when they are the same. touched: ids whose tenant may be another than after the run
    before, or gone.

    stale_at: Unix seconds from when the same objects compile to something else (a certificate begins to be valid, or
    nears its end), infinite if never; compile again by then.
    """

    platform: Platform | None
    tenants: Mapping[str, Tenant]
    findings: tuple[Finding, ...]
    touched: Set[str] = frozenset()
    stale_at: float = math.inf


class Compiler:
    """One per source; `compile` takes its readings, every one of them and in order."""

    def __init__(self, parse_yaml: ParseYaml, *, endpoints_known: bool = False) -> None:
        """parse_yaml: strict, see compiler.documents. endpoints_known: the source watches EndpointSlices."""
        self.parser = Parser(parse_yaml, endpoints_known=endpoints_known)
        self._entries = Entries()
        self._recalled: set[str] = set()
        self._with_recalled_pods: set[str] = set()
        self._groups: dict[str, Group] = {SYSTEM: Group()}
        self._remarks = Remarks()  # about objects by reference, and about groups by label value
        self._settings: PlatformDraft | None = None
        self._platform: Platform | None = None
        self._context = Context(system_domain="", https_redirect=True, system_names=frozenset(), defaults={})
        self._claims = Claims()
        self._tenants: Map[str, Tenant] = Map()
        self._touched: set[str] = {SYSTEM}

    def resume(self, running: Snapshot) -> None:
        """Before the first run: what an earlier compiler brought in force is the last good version of its objects."""
        for entry in recall(running):
            self._entries.put(entry)
            self._group(entry.tenant).put(entry)
            self._recalled.add(entry.source.reference)
        self._platform = running.platform
        for tenant in running.tenants.values():
            self._group(tenant.id).in_force = tenant
            if tenant.gateway_endpoints is not None:
                self._group(tenant.id).recalled = tenant
                self._with_recalled_pods.add(tenant.id)
        self._settings = recall_settings(running.platform)

    def compile(self, reading: Reading, now: float, parsed: Mapping[str, Entry] | None = None) -> Compilation:
        """`now` in Unix seconds; with an empty reading only what the time has changed is judged anew.

        parsed: by reference, what `parser` has made of objects of this reading already, without a previous version.
        """
        known = parsed or {}
        for reference in reading.removed:
            self._forget(reference)
        for source in reading.changed:
            self._read(source, now, known.get(source.reference))
        for entry in list(self._entries.pop_stale(now)):
            self._parse(entry.source, now)
        self._settle_recalled(reading.unread)
        touched, self._touched = self._touched, set()
        for key in touched:
            self._groups[key].arrange()
        if SYSTEM in touched:
            touched.discard(SYSTEM)
            touched |= self._compile_platform(is_unread=bool(reading.error) and "" in reading.unread)
        if touched:
            touched = self._compile_tenants(touched)
        return Compilation(
            platform=self._platform,
            tenants=self._tenants,
            findings=self._remarks.everything,
            touched=touched,
            stale_at=self._entries.stale_at,
        )

    # -- objects

    def _group(self, key: str) -> Group:
        """The group of a label value, touched."""
        self._touched.add(key)
        return self._groups.setdefault(key, Group())

    def _read(self, source: LabelledObject, now: float, parsed: Entry | None) -> None:
        self._recalled.discard(source.reference)
        previous = self._entries.get(source.reference)
        if previous is not None and previous.source == source and now < previous.stale_at:
            return
        self._parse(source, now, parsed)

    def _parse(self, source: LabelledObject, now: float, parsed: Entry | None = None) -> None:
        reference = source.reference
        previous = self._entries.get(reference)
        if previous is not None and previous.tenant != source.tenant:
            self._group(previous.tenant).drop(reference)
        if previous is None and parsed is not None and parsed.source is source:
            entry = parsed
        else:
            entry = self.parser.parse(source, previous, now)
        self._entries.put(entry)
        self._remarks.put(reference, entry.findings)
        self._group(entry.tenant).put(entry)

    def _forget(self, reference: str) -> None:
        self._recalled.discard(reference)
        self._remarks.put(reference)
        entry = self._entries.drop(reference)
        if entry is not None:
            self._group(entry.tenant).drop(reference)

    def _settle_recalled(self, unread: Set[str]) -> None:
        """Recalled objects that the source has not read by now are gone, unless it says that it can't know."""
        if "" in unread:
            return
        for reference in [one for one in self._recalled if unread.isdisjoint((one, one.partition(" ")[0]))]:
            self._forget(reference)
        if self._with_recalled_pods and ENDPOINT_SLICE not in unread:
            for key in self._with_recalled_pods & self._groups.keys():
                self._group(key).recalled = None
            self._with_recalled_pods.clear()

    # -- what they come to

    def _compile_platform(self, *, is_unread: bool) -> Set[str]:
        """Bring the platform up to date; the tenants that may take something else from it now. is_unread: the source
        can't know yet what there is.

        Settings once in force stay until others replace them: without a system domain nothing could be served.
        """
        group = self._groups[SYSTEM]
        group.findings = []
        for entry in group.config_maps:
            if isinstance(entry.draft, PlatformDraft):
                self._settings = entry.draft
                what = "the platform's settings"
                group.findings += report_later_ones(group.config_maps, entry, "DuplicateSettings", what)
                break
        if not group.config_maps and is_unread:
            self._touched.add(SYSTEM)  # to look again once it does
        elif not group.config_maps:
            group.findings.append(_no_settings(is_kept=self._settings is not None))
        if self._settings is None:
            self._remarks.put(SYSTEM, group.findings)
            return set()
        platform, context, problems = assemble_platform(self._settings, group.secrets, self._platform)
        group.findings += problems
        self._remarks.put(SYSTEM, group.findings)
        if platform != self._platform:
            self._platform = platform
        concerned = tenants_concerned(self._context, context)
        self._context = context
        everybody = self._groups.keys() - {SYSTEM}
        return everybody if concerned is None else everybody & concerned

    def _compile_tenants(self, touched: set[str]) -> set[str]:
        """Assemble the touched groups, and those that may win or lose a host by it; all of these."""
        contenders: set[str] = set()
        for key in touched:
            contenders |= self._claims.replace(key, self._groups[key].choose_tenant())
        tenants = self._tenants.mutate()
        for key in sorted(touched | contenders):
            group = self._groups[key]
            group.assemble(self._claims.lost_by(key), self._context)
            if group.in_force is not None:
                tenants[key] = group.in_force
            else:
                tenants.pop(key, None)
            self._remarks.put(key, group.findings)
            if group.is_empty:
                del self._groups[key]
        self._tenants = tenants.finish()
        return touched | contenders


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
