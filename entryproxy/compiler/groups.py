"""The objects that carry one label value, and what they come to together."""

from __future__ import annotations

from collections.abc import Sequence

from entryproxy.compiler.assembly import Context, assemble_tenant
from entryproxy.compiler.claims import Claim, Lost
from entryproxy.compiler.endpoints import gateway_endpoints, slices_of
from entryproxy.compiler.findings import Reason, error
from entryproxy.compiler.parsing import Entry
from entryproxy.compiler.tenants import DOCUMENT, TenantDraft
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap, LabelledEndpointSlice, LabelledObject, LabelledSecret
from entryproxy.model.tenant import GatewayEndpoint, GatewayService, Tenant


class Group:
    """config_maps, secrets: oldest first, as of the last `arrange`. slices: the EndpointSlices. claim: what the tenant
    asks for, None without a usable ConfigMap or domains.

    in_force: the tenant as last assembled. findings: about the objects together, not those of each alone. recalled: the
    tenant that was in force before this process began, as long as its pods are to stay because EndpointSlices have not
    been read.
    """

    __slots__ = (
        "_chosen",
        "_draft",
        "_members",
        "claim",
        "config_maps",
        "findings",
        "in_force",
        "recalled",
        "secrets",
        "slices",
    )

    def __init__(self) -> None:
        self._members: dict[str, Entry] = {}
        self.config_maps: list[Entry] = []
        self.secrets: list[Entry] = []
        self.slices: list[LabelledEndpointSlice] = []
        self.claim: Claim | None = None
        self.in_force: Tenant | None = None
        self.findings: list[Finding] = []
        self.recalled: Tenant | None = None
        self._chosen: Entry | None = None
        self._draft: TenantDraft | None = None

    def put(self, entry: Entry) -> None:
        """The object is one of ours, in this version."""
        self._members[entry.source.reference] = entry

    def drop(self, reference: str) -> None:
        """The object is none of ours any more."""
        self._members.pop(reference, None)

    @property
    def is_empty(self) -> bool:
        return not self._members

    def arrange(self) -> None:
        """Sort what was put since."""
        ordered = sorted(self._members.values(), key=lambda one: one.precedence)
        self.config_maps = [one for one in ordered if isinstance(one.source, LabelledConfigMap)]
        self.secrets = [one for one in ordered if isinstance(one.source, LabelledSecret)]
        self.slices = [one.source for one in ordered if isinstance(one.source, LabelledEndpointSlice)]

    def choose_tenant(self) -> Claim | None:
        """Let the oldest usable ConfigMap declare the tenant; its claim."""
        self._chosen = self._draft = self.claim = None
        for entry in self.config_maps:
            if isinstance(entry.draft, TenantDraft):
                self._chosen, self._draft = entry, entry.draft
                if self._draft.domains:
                    self.claim = Claim(entry.tenant, entry.precedence, entry.source.reference, self._draft.domains)
                break
        return self.claim

    def assemble(self, lost: Lost, context: Context) -> None:
        """Make the tenant; one that comes out the same stays the same object."""
        if self._chosen is None or self._draft is None:
            self.in_force = None
            self.findings = [] if self.config_maps else [_orphan(one) for one in self.secrets if one.draft is not None]
            return
        endpoints, remarks = self._find_pods(self._chosen.source, self._draft.service)
        tenant, problems = assemble_tenant(
            self._chosen, self._draft, self.secrets, endpoints, lost, context, self.in_force
        )
        later = report_later_ones(self.config_maps, self._chosen, "DuplicateTenant", f"tenant {tenant.id}")
        self.findings = [*later, *remarks, *problems]
        if tenant != self.in_force:
            self.in_force = tenant

    def _find_pods(
        self, source: LabelledObject, service: GatewayService | None
    ) -> tuple[tuple[GatewayEndpoint, ...] | None, list[Finding]]:
        """The pods to dial, None when they are not wanted or nothing is known of them."""
        if service is None:
            return None, []
        ours = slices_of(service, self.slices)
        if ours:
            self.recalled = None
        if self.recalled is not None and self.recalled.gateway_service == service:
            return self.recalled.gateway_endpoints, []
        return gateway_endpoints(source, service, ours, f"{DOCUMENT}: $.gateway")


def report_later_ones(config_maps: Sequence[Entry], chosen: Entry, reason: Reason, what: str) -> list[Finding]:
    """Every other ConfigMap that wants to be what `chosen` is."""
    message = f"{chosen.source.reference} already declares {what}; this object is not in force"
    return [error(one.source, reason, "metadata.labels", message) for one in config_maps if one is not chosen]


def _orphan(entry: Entry) -> Finding:
    """A rejected ConfigMap has its own finding, so this is about tenants that nobody declares."""
    message = "No ConfigMap declares this tenant; not in force"
    return error(entry.source, "UnknownTenant", "metadata.labels", message)
