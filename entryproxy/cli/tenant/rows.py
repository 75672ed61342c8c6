"""What the commands say about tenants: public rows, the same for text, JSON and YAML, without key material."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from entryproxy.cli.judging import Judgement
from entryproxy.cli.tenant.status import Told
from entryproxy.compiler.findings import Rejected
from entryproxy.compiler.provisioning import read_tenant_spec
from entryproxy.config.yaml import parse_yaml
from entryproxy.console.rows import CertificateRow, Row, certificate_row
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import LabelledConfigMap, LabelledEndpointSlice, LabelledObject
from entryproxy.model.release import NamespaceSpec, ReleaseSpec
from entryproxy.model.status import TenantStatus
from entryproxy.model.tenant import Limits, Tenant, TenantSpec, Timeouts
from entryproxy.model.times import rfc3339
from entryproxy.routing.explain import GatewayView, view_gateway

State = Literal["InForce", "Rejected", "Removing", "Undeclared"]
"""Removing: the ConfigMap is deleted, and stays until the gateway is taken away. Undeclared: there are certificates of
the tenant, but no ConfigMap declares it."""

_SERVICE_ADDRESS = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc:[0-9]+")


class TenantLine(Row, frozen=True, kw_only=True):
    """One line of the list. source: "namespace/name" of the ConfigMap that declares it, "" without one. created: of
    that ConfigMap, "" when not known. domains: the custom ones that it owns. errors, warnings: how many findings.
    release: what the controller says of its gateway, None for nothing. is_awaited: one is asked for, and no controller
    has said anything yet."""

    id: str
    state: State
    source: str
    created: str
    domains: tuple[str, ...]
    gateway: GatewayView | None
    certificates: tuple[CertificateRow, ...]
    errors: int
    warnings: int
    release: TenantStatus | None = None
    is_awaited: bool = False


class TenantSheet(TenantLine, frozen=True, kw_only=True):
    """All that is known of one tenant. hosts: "*.<its system host>", its system host, then its custom domains.
    objects: all that carry its label. asked, namespace: the document's `release` and what surrounds it, None without a
    release, and of a document that can't be read."""

    hosts: tuple[str, ...]
    https_redirect: bool | None
    hsts: str
    limits: Limits | None
    timeouts: Timeouts | None
    objects: tuple[str, ...]
    findings: tuple[Finding, ...]
    asked: ReleaseSpec | None = None
    namespace: NamespaceSpec | None = None


def tenant_lines(judgement: Judgement, told: Mapping[str, Told] | None) -> list[TenantLine]:
    """Every tenant that an object of the namespace or a finding names, by id. EndpointSlices are those of the whole
    cluster, where other entries may have tenants. told: by ConfigMap, None where nobody
    tells anything."""
    objects, findings = _objects_by_tenant(judgement), _findings_by_tenant(judgement)
    objects = {key: found for key, found in objects.items() if not _are_slices(found)}
    going = {one.tenant for one in (told or {}).values() if one.is_going}
    ids = {*objects, *findings, *judgement.compilation.tenants, *going} - {SYSTEM, ""}
    return [
        TenantLine(**_common(one, judgement, objects.get(one, ()), findings.get(one, ()), told)) for one in sorted(ids)
    ]


def tenant_sheet(tenant_id: str, judgement: Judgement, told: Mapping[str, Told] | None) -> TenantSheet | None:
    """None when nothing names the tenant. told: as for the list."""
    objects = _objects_by_tenant(judgement).get(tenant_id, ())
    findings = _findings_by_tenant(judgement).get(tenant_id, ())
    if _are_slices(objects) and not findings and not _going(tenant_id, told or {}):
        return None
    tenant = judgement.compilation.tenants.get(tenant_id)
    spec = _spec(_declaring(tenant, objects))
    return TenantSheet(
        **_common(tenant_id, judgement, objects, findings, told),
        hosts=_hosts(tenant, judgement),
        https_redirect=tenant.https_redirect if tenant else None,
        hsts=tenant.hsts if tenant else "",
        limits=tenant.limits if tenant else None,
        timeouts=tenant.timeouts if tenant else None,
        objects=tuple(sorted(one.reference for one in objects)),
        findings=tuple(findings),
        asked=spec.release,
        namespace=spec.namespace if spec.release is not None else None,
    )


def _spec(declaring: LabelledConfigMap | None) -> TenantSpec:
    """As written; a finding says what is wrong with one that can't be read."""
    try:
        return read_tenant_spec(declaring, parse_yaml) if declaring is not None else TenantSpec()
    except Rejected:
        return TenantSpec()


def _are_slices(objects: Iterable[LabelledObject]) -> bool:
    """Whether there is nothing else."""
    return all(isinstance(one, LabelledEndpointSlice) for one in objects)


def service_of(tenant: Tenant) -> tuple[str, str] | None:
    """Namespace and name of the gateway's Service, None with addresses of its own."""
    if tenant.gateway_service is not None:
        return tenant.gateway_service.namespace, tenant.gateway_service.name
    match = _SERVICE_ADDRESS.fullmatch(tenant.gateway_addresses[0])
    return (match["namespace"], match["name"]) if match else None


def _common(
    tenant_id: str,
    judgement: Judgement,
    objects: Iterable[LabelledObject],
    findings: Iterable[Finding],
    told: Mapping[str, Told] | None,
) -> dict[str, Any]:
    """The fields that both rows have."""
    can_be_told, told = told is not None, told or {}
    tenant = judgement.compilation.tenants.get(tenant_id)
    declaring = _declaring(tenant, objects)
    is_declared = declaring is not None or any(one.object.startswith("ConfigMap ") for one in findings)
    source = f"{declaring.namespace}/{declaring.name}" if declaring else _going(tenant_id, told)
    severities = [one.severity for one in findings]
    release = told[source].status if source in told else None
    return {
        "id": tenant_id,
        "state": "InForce" if tenant else "Rejected" if is_declared else "Removing" if source else "Undeclared",
        "source": source,
        "created": _seconds(declaring.created) if declaring else told[source].created if source in told else "",
        "domains": tenant.domains if tenant else (),
        "gateway": view_gateway(tenant) if tenant else None,
        "certificates": tuple(certificate_row(one, judgement.now) for one in tenant.certificates) if tenant else (),
        "errors": severities.count("error"),
        "warnings": severities.count("warning"),
        "release": release,
        "is_awaited": bool(can_be_told and tenant and tenant.provisioning and release is None),
    }


def _going(tenant_id: str, told: Mapping[str, Told]) -> str:
    """The ConfigMap of the tenant that is being removed, "" for none. The entry, and with it the compiler, is done with
    it."""
    return min((source for source, one in told.items() if one.is_going and one.tenant == tenant_id), default="")


def _seconds(created: str) -> str:
    return rfc3339(datetime.fromisoformat(created).timestamp()) if created else ""


def _declaring(tenant: Tenant | None, objects: Iterable[LabelledObject]) -> LabelledConfigMap | None:
    """The ConfigMap that is in force, else the oldest one that wants to be."""
    found = [one for one in objects if isinstance(one, LabelledConfigMap)]
    for one in found:
        if tenant is not None and tenant.source == f"{one.namespace}/{one.name}":
            return one
    return min(found, key=lambda one: (one.created, one.namespace, one.name), default=None)


def _hosts(tenant: Tenant | None, judgement: Judgement) -> tuple[str, ...]:
    platform = judgement.compilation.platform
    if tenant is None or platform is None:
        return ()
    system_host = f"{tenant.id}.{platform.system_domain}"
    return "*." + system_host, system_host, *sorted(tenant.domains)


def _objects_by_tenant(judgement: Judgement) -> dict[str, list[LabelledObject]]:
    found: dict[str, list[LabelledObject]] = {}
    for one in judgement.reading.changed:
        found.setdefault(one.tenant, []).append(one)
    return found


def _findings_by_tenant(judgement: Judgement) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in judgement.findings:
        found.setdefault(one.tenant, []).append(one)
    return found
