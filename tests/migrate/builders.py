"""Ingresses in a line, and plans of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entryproxy.migrate.annotations import PREFIX
from entryproxy.migrate.inventory import Ingress, Inventory, Path, Rule, TlsBlock
from entryproxy.migrate.plan import Plan, Wishes, make_plan

DOMAIN = "aigw.example.com"


def ingress(
    *hosts: str,
    namespace: str = "acme-gateway",
    name: str = "web",
    settings: Mapping[str, str] | None = None,
    paths: tuple[str, ...] = ("/",),
    service: str = "web",
    secret: str = "tls",
    tls: tuple[str, ...] | None = None,
    **fields: Any,
) -> Ingress:
    """One of class nginx. settings: ingress-nginx's annotations without their prefix. tls: hosts of its one block,
    `hosts` by default, () for no block."""
    backends = tuple(Path(path=path, kind="Prefix", service=service, port="80") for path in paths)
    listed = hosts if tls is None else tls
    annotations = {PREFIX + key: value for key, value in (settings or {}).items()}
    fields = {"ingress_class": "nginx", **fields}
    return Ingress(
        namespace=namespace,
        name=name,
        annotations={**annotations, **fields.pop("annotations", {})},
        rules=tuple(Rule(host, backends) for host in hosts),
        tls=(TlsBlock(listed, secret),) if listed else (),
        **fields,
    )


def inventory(*ingresses: Ingress) -> Inventory:
    found = Inventory()
    found.ingresses = {(one.namespace, one.name): one for one in ingresses}
    return found


def plan(*ingresses: Ingress, **wishes: Any) -> Plan:
    return make_plan(inventory(*ingresses), Wishes(**{"system_domain": DOMAIN, **wishes}))


def document(tenant: str, found: Plan) -> dict[str, Any]:
    """The `tenant.yaml` of a tenant of the plan."""
    return next(one.document for one in found.report.tenants if one.id == tenant)


def reasons(found: Plan) -> list[str]:
    return sorted(one.reason for one in found.report.all_findings())
