"""From a host to its tenant: routing rules 1 and 2 of the contract.

System hosts are answered by grammar, so their cost does not depend on the number of tenants; custom hosts take two
look-ups.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from entryproxy.model.hostname import is_hostname, is_label, wildcard_of
from entryproxy.model.tenant import Tenant
from entryproxy.routing.table import Table

DomainType = Literal["system", "custom"]


class Route(msgspec.Struct, frozen=True):
    """Where a host leads. service: the label before the tenant on system hosts, "" if there is none."""

    tenant: Tenant
    service: str
    domain_type: DomainType


class NoRoute(msgspec.Struct, frozen=True):
    """Why a host leads nowhere: a word for metrics and a sentence for the client. Answered with 404."""

    reason: Literal["unknown_tenant", "unknown_host"]
    detail: str


class SystemHost(msgspec.Struct, frozen=True):
    """A host of the grammar `[service.]tenant.<system domain>`; whether that tenant exists is another question."""

    tenant_id: str
    service: str


_UNKNOWN_TENANT = NoRoute("unknown_tenant", "No tenant of this name is registered here.")
_UNKNOWN_HOST = NoRoute("unknown_host", "This host is not served here.")


def parse_system_host(host: str, system_domain: str) -> SystemHost | None:
    """`host` taken apart, or None when it is not a system host; at most one label may stand before the tenant."""
    if not host.endswith(system_domain) or host[-len(system_domain) - 1 : -len(system_domain)] != ".":
        return None
    service, dot, tenant_id = host[: -len(system_domain) - 1].rpartition(".")
    if not is_label(tenant_id) or (dot and not is_label(service)):
        return None
    return SystemHost(tenant_id, service)


def owner_of(table: Table, host: str) -> Tenant | None:
    """The tenant that owns a custom host: exact before wildcard. `host` comes from a peer and may hold anything."""
    owners = table.owners
    tenant_id = owners.get(host)
    if tenant_id is None:
        tenant_id = owners.get(wildcard_of(host))
        # Somebody's "*.example.com" covers the system domain "aigw.example.com" itself, which nobody can claim.
        if tenant_id is None or host == table.platform.system_domain:
            return None
    # "*.customer.com" is a key of `owners`, and a client may send just that as Host; a wildcard stands for labels only.
    return table.tenants.get(tenant_id) if is_hostname(host) else None


def match_host(table: Table, host: str) -> Route | NoRoute:
    """The route of a host in normal form (`model.hostname.normalize`)."""
    system_host = parse_system_host(host, table.platform.system_domain)
    if system_host is not None:
        tenant = table.tenants.get(system_host.tenant_id)
        return Route(tenant, system_host.service, "system") if tenant is not None else _UNKNOWN_TENANT
    owner = owner_of(table, host)
    return Route(owner, "", "custom") if owner is not None else _UNKNOWN_HOST
