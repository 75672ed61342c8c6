"""Drafts, platform defaults, claims and certificates → one tenant, or the platform, in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any, Literal

import msgspec

from entryproxy.compiler.certificates import CERTIFICATE, CheckedPair
from entryproxy.compiler.claims import Lost
from entryproxy.compiler.coverage import CustomHosts, is_covered, may_serve
from entryproxy.compiler.documents import merge
from entryproxy.compiler.findings import error, warning
from entryproxy.compiler.parsing import Entry
from entryproxy.compiler.platform import PlatformDraft
from entryproxy.compiler.tenants import DOCUMENT, TenantDraft
from entryproxy.model.certificate import Certificate
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM, is_under
from entryproxy.model.objects import LabelledConfigMap, LabelledObject
from entryproxy.model.tenant import GatewayEndpoint, Limits, Platform, Tenant, Timeouts

_NAMES_SHOWN = 10


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """All that a tenant takes from the platform; tenants are assembled anew only when it differs.

    system_names: what the platform's certificates cover. defaults: the settings document as written.
    """

    system_domain: str
    https_redirect: bool
    system_names: frozenset[str]
    defaults: dict[str, Any]


def tenants_concerned(before: Context, after: Context) -> Set[str] | None:
    """Ids of the tenants to whom the difference may matter, None for all.

    A platform may hold a certificate for each of thousands of tenants; one of them that is renewed concerns one tenant.
    The first and the last one concern all: without any, hosts that nothing covers are refused.
    """
    if msgspec.structs.replace(before, system_names=after.system_names) != after:
        return None
    if bool(before.system_names) != bool(after.system_names):
        return None
    names = before.system_names ^ after.system_names
    ids = {name.removesuffix(f".{after.system_domain}").rpartition(".")[2] for name in names}
    return None if "*" in ids else ids


def assemble_platform(
    draft: PlatformDraft, secrets: Sequence[Entry], before: Platform | None
) -> tuple[Platform, Context, list[Finding]]:
    """The platform with its certificates, the oldest first, and what tenants take from it. before: the one in force."""
    findings: list[Finding] = []
    domain = draft.platform.system_domain
    in_force = before.certificates if before is not None else ()
    certificates = attach_certificates(SYSTEM, secrets, in_force, (), domain, findings)
    platform = msgspec.structs.replace(draft.platform, certificates=certificates)
    context = Context(
        system_domain=domain,
        https_redirect=platform.https_redirect,
        system_names=frozenset(name for one in certificates for name in one.names),
        defaults=draft.document,
    )
    return platform, context, findings


def assemble_tenant(
    entry: Entry,
    draft: TenantDraft,
    secrets: Sequence[Entry],
    endpoints: tuple[GatewayEndpoint, ...] | None,
    lost: Lost,
    context: Context,
    before: Tenant | None,
) -> tuple[Tenant, list[Finding]]:
    """The tenant that comes in force, and what of its ConfigMap and certificates does not. endpoints: as in
    model.tenant.Tenant. before: the tenant as it was in force."""
    findings: list[Finding] = []
    domains = _keep_claims(entry.source, draft, lost, context.system_domain, findings)
    in_force = before.certificates if before is not None else ()
    certificates = attach_certificates(draft.id, secrets, in_force, domains, context.system_domain, findings)
    tenant = Tenant(
        id=draft.id,
        domains=domains,
        gateway_addresses=draft.gateway_addresses,
        gateway_service=draft.service,
        gateway_endpoints=endpoints,
        gateway_protocol=draft.gateway_protocol,
        gateway_name=draft.gateway_name,
        gateway_ca_pem=draft.gateway_ca_pem,
        provisioning=_provisioning(entry.source) if draft.has_release else "",
        https_redirect=context.https_redirect if draft.https_redirect is None else draft.https_redirect,
        hsts=draft.hsts,
        limits=merge(context.defaults, draft.document, "limits", Limits),
        timeouts=merge(context.defaults, draft.document, "timeouts", Timeouts),
        certificates=certificates,
        source=f"{entry.source.namespace}/{entry.source.name}",
    )
    findings.extend(_uncovered(entry.source, tenant, context))
    return tenant, findings


def _provisioning(source: LabelledObject) -> Literal["", "pending", "failed"]:
    """By this version of the object, whichever one the draft is of."""
    if not isinstance(source, LabelledConfigMap) or source.release_state == "served":
        return ""
    return "failed" if source.release_state == "failed" else "pending"


def attach_certificates(
    owner: str,
    secrets: Sequence[Entry],
    before: Iterable[Certificate],
    domains: tuple[str, ...],
    system_domain: str,
    findings: list[Finding],
) -> tuple[Certificate, ...]:
    """The certificates of these Secrets, oldest object first, each with the names that its owner may serve.

    before: those in force. One whose Secret holds nothing for its owner any more stays, as far as it is still of use;
    not so if that Secret is gone, and another one has its name.
    """
    certificates = []
    hosts = CustomHosts(domains)
    last_good = {one.source: one for one in before}
    for entry in secrets:
        pair = entry.draft
        if not isinstance(pair, CheckedPair):
            continue
        certificate = _certificate(entry.source, owner, pair)
        names = _servable(certificate, hosts, system_domain)
        last = None if names or entry.is_new else last_good.get(certificate.source)
        last_names = _servable(last, hosts, system_domain) if last is not None else ()
        findings.extend(_judge_names(entry.source, owner, pair.names, names, system_domain, is_kept=bool(last_names)))
        if names:
            certificates.append(msgspec.structs.replace(certificate, names=names))
        elif last is not None and last_names:
            certificates.append(msgspec.structs.replace(last, names=last_names))
    return tuple(certificates)


def _servable(certificate: Certificate, hosts: CustomHosts, system_domain: str) -> tuple[str, ...]:
    return tuple(name for name in certificate.names if may_serve(name, certificate.owner, hosts, system_domain))


def _certificate(source: LabelledObject, owner: str, pair: CheckedPair) -> Certificate:
    return Certificate(
        owner=owner,
        source=f"{source.namespace}/{source.name}",
        names=pair.names,
        not_before=pair.not_before,
        not_after=pair.not_after,
        fingerprint=pair.fingerprint,
        chain_pem=pair.chain_pem,
        key_pem=pair.key_pem,
    )


def _judge_names(
    source: LabelledObject,
    owner: str,
    written: Iterable[str],
    kept: tuple[str, ...],
    system_domain: str,
    *,
    is_kept: bool,
) -> list[Finding]:
    """is_kept: without a name to serve, the last good version stays."""
    # The system domain itself is no host of anybody, but ordinary beside "*.<system domain>" in a certificate.
    served = frozenset(kept)
    left_out = [name for name in written if name not in served and not (owner == SYSTEM and name == system_domain)]
    if not kept:
        consequence = "the last good version stays in force" if is_kept else "the certificate is not in force"
        message = f"None of its names may be served by {_person(owner)}: {_list(written)}; {consequence}"
        return [error(source, "CertificateNames", CERTIFICATE, message)]
    if left_out:
        message = f"Names that {_person(owner)} may not serve are left out: {_list(left_out)}"
        return [warning(source, "CertificateNames", CERTIFICATE, message)]
    return []


def _keep_claims(
    source: LabelledObject, draft: TenantDraft, lost: Lost, system_domain: str, findings: list[Finding]
) -> tuple[str, ...]:
    owners = {host: (tenant, reference) for host, tenant, reference in lost}
    kept = []
    for number, host in enumerate(draft.domains):
        field = f"{DOCUMENT}: $.domains"
        if is_under(host.removeprefix("*."), system_domain):
            message = f'"{host}" is under the system domain and can\'t be claimed'
            findings.append(error(source, "HostReserved", f"{field}[{number}]", message))
        elif host in owners:
            tenant, reference = owners[host]
            message = f'"{host}" belongs to tenant {tenant} by the older claim of {reference}'
            findings.append(error(source, "HostConflict", f"{field}[{number}]", message))
        else:
            kept.append(host)
    return tuple(kept)


def _uncovered(source: LabelledObject, tenant: Tenant, context: Context) -> list[Finding]:
    names = {name for one in tenant.certificates for name in one.names}
    findings = []
    for host in tenant.domains:
        if not is_covered(host, names):
            message = (
                f'No certificate of the tenant covers "{host}": TLS for it is refused or gets the default certificate'
            )
            findings.append(warning(source, "UncoveredHost", f"{DOCUMENT}: $.domains", message))
    if context.system_domain:
        cname_target = f"{tenant.id}.{context.system_domain}"
        met = "clients get one of the platform that does not match" if context.system_names else "clients are refused"
        for host in (f"*.{cname_target}", cname_target):
            if not is_covered(host, names) and not is_covered(host, context.system_names):
                message = f'No certificate covers "{host}": {met}'
                findings.append(warning(source, "UncoveredHost", "metadata.labels", message))
    return findings


def _person(owner: str) -> str:
    return "the platform" if owner == SYSTEM else f"tenant {owner}"


def _list(names: Iterable[str]) -> str:
    """The first of them: a certificate has up to thousands."""
    quoted = [f'"{name}"' for name in names]
    more = len(quoted) - _NAMES_SHOWN
    return ", ".join(quoted[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
