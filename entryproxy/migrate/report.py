"""What a migration comes to, as data: printed by `text`, encoded as JSON as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from entryproxy.migrate.certificates import CertificatePlan
from entryproxy.migrate.selection import Skipped
from entryproxy.migrate.verdicts import Judgement
from entryproxy.model.finding import Finding


class HostReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """kind: "system" or "custom". tenant: "" for nobody. sources: "Ingress ns/name: path → service:port". certificate:
    what the entry shows, "" when it doesn't serve the host. conflicts: what is wrong with it."""

    host: str
    kind: str
    tenant: str
    because: str
    sources: tuple[str, ...]
    certificate: str
    conflicts: tuple[Finding, ...]


class IngressReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """ingress: reference. tenants: those whose gateways have to read it. origin: file."""

    ingress: str
    origin: str
    tenants: tuple[str, ...]
    annotations: tuple[Judgement, ...]
    findings: tuple[Finding, ...]


class TenantReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """because: the rules that led to it. entry: sentences on what the entry itself does for its hosts. document: its
    `tenant.yaml`. hosts: those it gets, and those it had to give up."""

    id: str
    because: tuple[str, ...]
    namespaces: tuple[str, ...]
    entry: tuple[str, ...]
    document: dict[str, Any]
    hosts: tuple[HostReport, ...]
    certificates: tuple[CertificatePlan, ...]


class SettingsReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """source: reference of the controller's ConfigMap, "" when it wasn't found. is_written: false when the platform has
    settings already, or no system domain is known."""

    source: str
    document: dict[str, Any]
    is_written: bool
    options: tuple[Judgement, ...]
    certificates: tuple[CertificatePlan, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """homeless: hosts of nobody. findings: what concerns no single host or Ingress."""

    classes: tuple[str, ...]
    tenants: tuple[TenantReport, ...]
    homeless: tuple[HostReport, ...]
    ingresses: tuple[IngressReport, ...]
    settings: SettingsReport
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...]

    def hosts(self) -> Iterator[HostReport]:
        """All of them."""
        for tenant in self.tenants:
            yield from tenant.hosts
        yield from self.homeless

    def judgements(self) -> Iterator[Judgement]:
        """All of them, the controller's options last."""
        for one in self.ingresses:
            yield from one.annotations
        yield from self.settings.options

    def all_findings(self) -> Iterator[Finding]:
        """All of them."""
        yield from self.findings
        for host in self.hosts():
            yield from host.conflicts
        for one in self.ingresses:
            yield from one.findings

    @property
    def is_clean(self) -> bool:
        """Everything maps: nothing conflicts, and nothing has to be replaced by hand."""
        return not (
            any(one.severity == "error" for one in self.all_findings())
            or any(one.verdict == "unsupported" for one in self.judgements())
        )
