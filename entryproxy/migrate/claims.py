"""Who claims which host, whose it becomes, and who loses it.

ingress-nginx merges Ingresses that share a host, path by path, whatever their namespaces; the entry gives a host to one
tenant. The oldest Ingress decides whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from entryproxy.migrate.findings import Reason, error
from entryproxy.migrate.inventory import NO_TIME, Ingress, Path
from entryproxy.migrate.tenants import Assignment, Tenants, system_host
from entryproxy.migrate.values import read_boolean, read_names
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import is_hostname, is_under

ALIASES = "server-alias"
PASSTHROUGH = "ssl-passthrough"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One Ingress's claim to one host. paths: empty for an alias, which has all of its Ingress's."""

    host: str
    ingress: Ingress
    paths: tuple[Path, ...]
    assignment: Assignment
    field: str

    @property
    def precedence(self) -> tuple[str, str, str]:
        return self.ingress.created or NO_TIME, self.ingress.namespace, self.ingress.name


class HostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A host and what becomes of it. tenant: "" for nobody's. claims: those of its tenant, the oldest first. is_served:
    the entry will answer it."""

    host: str
    is_system: bool
    tenant: str
    because: str
    claims: tuple[Claim, ...]
    is_served: bool
    findings: tuple[Finding, ...]


def plan_hosts(ingresses: Iterable[Ingress], tenants: Tenants, system_domain: str) -> list[HostPlan]:
    """Every host that is claimed, the hosts of a domain together, a wildcard before the name that it stands under."""
    claims: dict[str, list[Claim]] = {}
    for ingress in ingresses:
        for claim in _claims_of(ingress, tenants.of(ingress)):
            claims.setdefault(claim.host, []).append(claim)
    return [
        _plan(host, sorted(claims[host], key=lambda claim: claim.precedence), system_domain)
        for host in sorted(claims, key=lambda host: (host.removeprefix("*.").split(".")[::-1], host))
    ]


def _claims_of(ingress: Ingress, assignment: Assignment) -> Iterable[Claim]:
    for number, rule in enumerate(ingress.rules):
        if rule.host:
            field = f"spec.rules[{number}].host"
            yield Claim(host=rule.host, ingress=ingress, paths=rule.paths, assignment=assignment, field=field)
    for alias in read_names(ingress.setting(ALIASES)):
        yield Claim(host=alias, ingress=ingress, paths=(), assignment=assignment, field=f"annotation {ALIASES}")


def _plan(host: str, claims: list[Claim], system_domain: str) -> HostPlan:
    if not is_hostname(host.removeprefix("*.")):
        return _refuse(host, claims, "InvalidHost", _invalid(host))
    if system_domain and is_under(host.removeprefix("*."), system_domain):
        return _plan_system(host, claims, system_domain)
    return _plan_custom(host, claims)


def _invalid(host: str) -> str:
    if "*" in host:
        return f'"{host}": a wildcard is one whole label, in front, and spans one label'
    return f'"{host}" is no host name of two or more labels'


def _refuse(host: str, claims: list[Claim], reason: Reason, message: str) -> HostPlan:
    findings = tuple(error(one.ingress, reason, one.field, message) for one in claims)
    return HostPlan(
        host=host, is_system=False, tenant="", because="", claims=tuple(claims), is_served=False, findings=findings
    )


def _plan_system(host: str, claims: list[Claim], system_domain: str) -> HostPlan:
    found = system_host(host, system_domain)
    if found is None:
        message = f'"{host}" is under the system domain, but not [service.]<tenant>.{system_domain}'
        return _refuse(host, claims, "SystemHost", message)
    tenant = found.tenant_id
    findings = [
        error(
            one.ingress,
            "SystemHostMismatch",
            one.field,
            f'"{host}" leads to tenant {tenant} by its name, but the Ingress is of tenant {one.assignment.tenant}: '
            f"{one.assignment.because}",
            tenant,
        )
        for one in claims
        if one.assignment.rule != "proposed" and one.assignment.tenant not in ("", tenant)
    ]
    findings += _passthrough(host, claims, tenant)
    return HostPlan(
        host=host,
        is_system=True,
        tenant=tenant,
        because="the host says it",
        claims=tuple(claims),
        is_served=not _is_passed_through(claims),
        findings=tuple(findings),
    )


def _plan_custom(host: str, claims: list[Claim]) -> HostPlan:
    owner = claims[0].assignment
    if not owner.tenant:
        namespace = claims[0].ingress.namespace
        message = f'"{namespace}" is no tenant id: say --tenant-of {namespace}=<tenant>'
        return _refuse(host, claims[:1], "TenantUnknown", message)
    ours = [one for one in claims if one.assignment.tenant == owner.tenant]
    findings = [_lost(one, ours) for one in claims if one.assignment.tenant != owner.tenant]
    findings += _passthrough(host, ours, owner.tenant)
    return HostPlan(
        host=host,
        is_system=False,
        tenant=owner.tenant,
        because=owner.because,
        claims=tuple(ours),
        is_served=not _is_passed_through(ours),
        findings=tuple(findings),
    )


def _lost(claim: Claim, ours: list[Claim]) -> Finding:
    """What a later claim of another tenant means: the same paths, or a host that tenants share by paths."""
    owner = ours[0]
    theirs = {(path.path, path.kind) for one in ours for path in one.paths}
    shared = [path for path in claim.paths if (path.path, path.kind) in theirs]
    whose = f'"{claim.host}" goes to tenant {owner.assignment.tenant} by the older {owner.ingress.reference}'
    if shared or not claim.paths:
        message = f"{whose}, which has the same path"
        return error(claim.ingress, "HostConflict", claim.field, message, claim.assignment.tenant)
    paths = ", ".join(str(path) for path in claim.paths)
    message = (
        f"{whose}; a host belongs to one tenant, so {paths} has to move there (with higress.io/destination, see docs)"
    )
    return error(claim.ingress, "PathSplit", claim.field, message, claim.assignment.tenant)


def _is_passed_through(claims: list[Claim]) -> bool:
    return any(read_boolean(one.ingress.setting(PASSTHROUGH)) for one in claims)


def _passthrough(host: str, claims: list[Claim], tenant: str) -> list[Finding]:
    return [
        error(
            one.ingress,
            "Passthrough",
            f"annotation {PASSTHROUGH}",
            f'"{host}" is handed on encrypted, which the entry doesn\'t do; the host is left out',
            tenant,
        )
        for one in claims
        if read_boolean(one.ingress.setting(PASSTHROUGH))
    ]
