"""The objects that carry one label value, and what they come to together."""

from __future__ import annotations

from collections.abc import Sequence

from entryproxy.compiler.assembly import Context, assemble_tenant
from entryproxy.compiler.claims import Claim, Lost
from entryproxy.compiler.findings import Reason, error
from entryproxy.compiler.parsing import Entry
from entryproxy.compiler.tenants import TenantDraft
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledSecret
from entryproxy.model.tenant import Tenant


class Group:
    """config_maps, secrets: oldest first. claim: what the tenant asks for, None without a usable ConfigMap or domains.

    in_force: the tenant as last assembled. findings: about the objects together, not those of each alone.
    """

    __slots__ = ("_chosen", "_draft", "claim", "config_maps", "findings", "in_force", "secrets")

    def __init__(self) -> None:
        self.config_maps: list[Entry] = []
        self.secrets: list[Entry] = []
        self.claim: Claim | None = None
        self.in_force: Tenant | None = None
        self.findings: list[Finding] = []
        self._chosen: Entry | None = None
        self._draft: TenantDraft | None = None

    def replace(self, entries: Sequence[Entry]) -> None:
        """These are the objects now."""
        ordered = sorted(entries, key=lambda one: one.precedence)
        self.secrets = [one for one in ordered if isinstance(one.source, LabelledSecret)]
        self.config_maps = [one for one in ordered if not isinstance(one.source, LabelledSecret)]

    def choose_tenant(self) -> bool:
        """Let the oldest usable ConfigMap declare the tenant; whether its claim differs from the one before."""
        before = self.claim
        self._chosen = self._draft = self.claim = None
        for entry in self.config_maps:
            if isinstance(entry.draft, TenantDraft):
                self._chosen, self._draft = entry, entry.draft
                if self._draft.domains:
                    self.claim = Claim(entry.tenant, entry.precedence, entry.source.reference, self._draft.domains)
                break
        return self.claim != before

    def assemble(self, lost: Lost, context: Context) -> None:
        """Make the tenant; one that comes out the same stays the same object."""
        if self._chosen is None or self._draft is None:
            self.in_force = None
            self.findings = [] if self.config_maps else [_orphan(one) for one in self.secrets if one.draft is not None]
            return
        tenant, problems = assemble_tenant(self._chosen, self._draft, self.secrets, lost, context)
        self.findings = report_later_ones(self.config_maps, self._chosen, "DuplicateTenant", f"tenant {tenant.id}")
        self.findings += problems
        if tenant != self.in_force:
            self.in_force = tenant


def report_later_ones(config_maps: Sequence[Entry], chosen: Entry, reason: Reason, what: str) -> list[Finding]:
    """Every other ConfigMap that wants to be what `chosen` is."""
    message = f"{chosen.source.reference} already declares {what}; this object is not in force"
    return [error(one.source, reason, "metadata.labels", message) for one in config_maps if one is not chosen]


def _orphan(entry: Entry) -> Finding:
    """A rejected ConfigMap has its own finding, so this is about tenants that nobody declares."""
    message = "No ConfigMap declares this tenant; not in force"
    return error(entry.source, "UnknownTenant", "metadata.labels", message)
