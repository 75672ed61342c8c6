"""Whether a release can go where its tenant says, and whether the entry would find it there."""

from __future__ import annotations

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.problems import Problem
from entryproxy.provision.values import CHART_GATEWAY_NAME, shared_gateway_name

CLUSTER_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


def check_placement(tenant: str, spec: TenantSpec, *, entry_namespace: str) -> list[Problem]:
    """Needs `spec.release`. Gateways at addresses of their own aren't looked for by their Service's name."""
    release = spec.release
    assert release is not None
    problems = []
    namespace, service = spec.gateway.namespace, spec.gateway.service
    if namespace == entry_namespace or namespace in CLUSTER_NAMESPACES:
        message = f"{namespace} is the platform's own namespace: a tenant's gateway can't live there"
        problems.append(Problem("gateway.namespace", message, "ReservedNamespace"))
    if release.isolation == "shared" and not namespace:
        message = "release.isolation: shared needs the namespace that is shared; it isn't made by us"
        problems.append(Problem("gateway.namespace", message, "NamespaceMissing"))
    name = shared_gateway_name(tenant) if release.isolation == "shared" else CHART_GATEWAY_NAME
    if service != name and not spec.gateway.addresses:
        message = f"the release's Service is {name}: the entry would send this tenant's requests to {service}"
        problems.append(Problem("gateway.service", message, "WrongService"))
    return problems
