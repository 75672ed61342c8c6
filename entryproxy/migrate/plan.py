"""All of it in order: an inventory and the operator's wishes → a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from entryproxy.migrate.certificates import Certificates, Pair, plan_certificates
from entryproxy.migrate.claims import HostPlan, plan_hosts
from entryproxy.migrate.documents import TenantDocument, write_document
from entryproxy.migrate.findings import error
from entryproxy.migrate.inventory import Ingress, Inventory
from entryproxy.migrate.judge import judge_ingress
from entryproxy.migrate.neighbours import controller_findings, look_around, proposal_findings, stream_findings
from entryproxy.migrate.report import HostReport, IngressReport, Report, SettingsReport, TenantReport
from entryproxy.migrate.selection import effective_classes, select
from entryproxy.migrate.sentences import certificate_of, entry_does
from entryproxy.migrate.settings import Settings, plan_settings
from entryproxy.migrate.tenants import Tenants
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says. classes: of Ingresses, empty for those that the inventory knows, else `nginx`.

    tenant_of: namespace → tenant id. system_domain: "" when it isn't known. has_settings: the platform has a
    `settings.yaml` already, which stays.
    """

    classes: tuple[str, ...] = ()
    tenant_of: Mapping[str, str] = {}
    system_domain: str = ""
    has_settings: bool = False


class Plan(msgspec.Struct, frozen=True):
    """report: what to tell. pairs: key material to write out, by name of the Secret to be."""

    report: Report
    pairs: Mapping[str, Pair]


def make_plan(inventory: Inventory, wishes: Wishes) -> Plan:
    """What becomes of everything in the inventory."""
    classes = effective_classes(wishes.classes, inventory.classes)
    ingresses, skipped = select(inventory.ingresses.values(), classes)
    tenants = Tenants(ingresses, wishes.tenant_of, inventory.tenants, wishes.system_domain)
    hosts = plan_hosts(ingresses, tenants, wishes.system_domain)
    certificates = plan_certificates(hosts, inventory, wishes.system_domain)
    settings = plan_settings(inventory.controller, wishes.system_domain)
    drafts = _draft_tenants(hosts, certificates, settings, wishes)
    reports = [_report_host(one, drafts, certificates) for one in hosts]
    report = Report(
        classes=classes,
        tenants=tuple(_report_tenants(drafts, hosts, reports, certificates)),
        homeless=tuple(one for one in reports if not one.tenant),
        ingresses=tuple(_report_ingresses(ingresses, hosts, drafts, inventory, tenants)),
        settings=_report_settings(inventory, settings, certificates, wishes),
        skipped=tuple(skipped),
        findings=(
            *inventory.findings,
            *settings.findings,
            *proposal_findings(ingresses, tenants),
            *controller_findings(inventory),
            *stream_findings(inventory.streams),
        ),
    )
    return Plan(report, certificates.pairs)


def _draft_tenants(
    hosts: Sequence[HostPlan], certificates: Certificates, settings: Settings, wishes: Wishes
) -> dict[str, TenantDocument]:
    """`tenant.yaml` of every tenant with a host that is served."""
    platform = {} if wishes.has_settings else settings.document
    by_tenant: dict[str, list[HostPlan]] = {}
    for one in hosts:
        if one.is_served:
            by_tenant.setdefault(one.tenant, []).append(one)
    return {
        tenant: write_document(theirs, certificates.with_tls, platform, settings.defaults)
        for tenant, theirs in by_tenant.items()
    }


def _report_host(one: HostPlan, drafts: Mapping[str, TenantDocument], certificates: Certificates) -> HostReport:
    conflicts = (*one.findings, *certificates.findings.get(one.host, ()))
    draft = drafts.get(one.tenant) if one.is_served else None
    if draft is not None and one.host in draft.newly_redirected:
        conflicts += (_newly_redirected(one),)
    return HostReport(
        host=one.host,
        kind="system" if one.is_system else "custom",
        tenant=one.tenant if one.tenant in drafts else "",
        because=one.because,
        sources=tuple(_source(claim.ingress, [str(path) for path in claim.paths]) for claim in one.claims),
        certificate=certificate_of(one, certificates) if one.is_served else "",
        conflicts=conflicts,
    )


def _newly_redirected(one: HostPlan) -> Finding:
    message = f'"{one.host}" was served in the clear too; other hosts of the tenant redirect to https, so now all do'
    return error(one.claims[0].ingress, "MixedRedirect", "annotation ssl-redirect", message, one.tenant)


def _source(ingress: Ingress, paths: Iterable[str]) -> str:
    return f"{ingress.reference}: {', '.join(paths) or 'an alias of its hosts'}"


def _report_tenants(
    drafts: Mapping[str, TenantDocument],
    hosts: Sequence[HostPlan],
    reports: Sequence[HostReport],
    certificates: Certificates,
) -> Iterator[TenantReport]:
    theirs: dict[str, list[tuple[HostPlan, HostReport]]] = {tenant: [] for tenant in sorted(drafts)}
    for host, report in zip(hosts, reports, strict=True):
        if report.tenant:
            theirs[report.tenant].append((host, report))
    for tenant, pairs in theirs.items():
        yield TenantReport(
            id=tenant,
            because=tuple(dict.fromkeys(host.because for host, _ in pairs)),
            namespaces=tuple(sorted({claim.ingress.namespace for host, _ in pairs for claim in host.claims})),
            entry=entry_does(tenant, drafts[tenant].effective),
            document=drafts[tenant].document,
            hosts=tuple(report for _, report in pairs),
            certificates=tuple(one for one in certificates.plans if one.owner == tenant),
        )


def _report_ingresses(
    ingresses: Iterable[Ingress],
    hosts: Iterable[HostPlan],
    drafts: Mapping[str, TenantDocument],
    inventory: Inventory,
    tenants: Tenants,
) -> Iterator[IngressReport]:
    owners: dict[str, set[str]] = {}
    for host in hosts:
        for claim in host.claims:
            owners.setdefault(claim.ingress.reference, set()).add(host.tenant)
    for one in ingresses:
        theirs = tuple(sorted(owners.get(one.reference, set()) & drafts.keys()))
        yield IngressReport(
            ingress=one.reference,
            origin=one.origin,
            tenants=theirs,
            annotations=judge_ingress(one, drafts[theirs[0]].effective if theirs else {}),
            findings=tuple(look_around(one, inventory, tenants)),
        )


def _report_settings(
    inventory: Inventory, settings: Settings, certificates: Certificates, wishes: Wishes
) -> SettingsReport:
    return SettingsReport(
        source=inventory.controller.reference if inventory.controller else "",
        document=settings.document,
        is_written=bool(wishes.system_domain) and not wishes.has_settings,
        options=settings.judgements,
        certificates=tuple(one for one in certificates.plans if one.owner == SYSTEM),
    )
