"""Which tenant an Ingress belongs to, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from entryproxy.migrate.inventory import Ingress
from entryproxy.model.hostname import is_tenant_id
from entryproxy.model.objects import TENANT_LABEL
from entryproxy.routing.match import SystemHost, parse_system_host

GATEWAY_SUFFIX = "-gateway"

Rule = Literal["option", "ingressLabel", "namespaceLabel", "gatewayNamespace", "systemHosts", "proposed", "host"]
"""In order of precedence, but for `host`: a system host says its tenant itself, whatever else is said."""


class Assignment(msgspec.Struct, frozen=True):
    """tenant: "" when what the rule found is no tenant id. because: a sentence."""

    tenant: str
    rule: Rule
    because: str


class Tenants:
    """The tenants of Ingresses, by all that is known about their namespaces."""

    def __init__(
        self,
        ingresses: Iterable[Ingress],
        tenant_of: Mapping[str, str],
        namespace_labels: Mapping[str, str],
        system_domain: str,
    ) -> None:
        """tenant_of: namespace → tenant, as the operator said. namespace_labels: namespace → value of our label."""
        self._tenant_of = tenant_of
        self._namespace_labels = namespace_labels
        self._by_hosts = _by_system_hosts(ingresses, system_domain)

    def of(self, ingress: Ingress) -> Assignment:
        """The tenant of the Ingress's custom hosts."""
        namespace = ingress.namespace
        if namespace in self._tenant_of:
            return _assign(self._tenant_of[namespace], "option", f"--tenant-of says so for namespace {namespace}")
        if TENANT_LABEL in ingress.labels:
            return _assign(ingress.labels[TENANT_LABEL], "ingressLabel", "the Ingress carries our label")
        if namespace in self._namespace_labels:
            label = self._namespace_labels[namespace]
            return _assign(label, "namespaceLabel", f"namespace {namespace} carries our label")
        named = namespace.removesuffix(GATEWAY_SUFFIX)
        if named != namespace and is_tenant_id(named):
            return Assignment(named, "gatewayNamespace", f"namespace {namespace} is that tenant's")
        if namespace in self._by_hosts:
            because = f"the system hosts of namespace {namespace} lead to it"
            return Assignment(self._by_hosts[namespace], "systemHosts", because)
        return _assign(namespace, "proposed", f"nothing says whose namespace {namespace} is; its name is proposed")


def system_host(host: str, system_domain: str) -> SystemHost | None:
    """A host of the system's grammar taken apart; `*.tenant.<system domain>` stands for every service of the tenant.
    None for anything else."""
    found = parse_system_host(host.removeprefix("*."), system_domain) if system_domain else None
    if found is None or not is_tenant_id(found.tenant_id) or (found.service and host.startswith("*.")):
        return None
    return found


def _assign(tenant: str, rule: Rule, because: str) -> Assignment:
    return Assignment(tenant if is_tenant_id(tenant) else "", rule, because)


def _by_system_hosts(ingresses: Iterable[Ingress], system_domain: str) -> dict[str, str]:
    """Namespaces whose system hosts all say the same tenant."""
    said: dict[str, set[str]] = {}
    for ingress in ingresses:
        for rule in ingress.rules:
            found = system_host(rule.host, system_domain)
            if found is not None:
                said.setdefault(ingress.namespace, set()).add(found.tenant_id)
    return {namespace: min(tenants) for namespace, tenants in said.items() if len(tenants) == 1}
