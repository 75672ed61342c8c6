"""Whether a release can go where its tenant says, and whether the entry would find it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entryproxy.model.hostname import is_label
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.problems import Problem
from entryproxy.provision.values import CHART_GATEWAY_NAME, shared_gateway_name, unprefixed

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
    if release.isolation == "class":
        reserved = CLUSTER_NAMESPACES | {entry_namespace}
        problems += _judge_watched(release.values, namespace or f"{tenant}-gateway", reserved)
    return problems


def _judge_watched(own: Mapping[str, Any], namespace: str, reserved: frozenset[str]) -> list[Problem]:
    """The release's controller may read all Secrets of the namespace that it watches."""
    below = unprefixed(own).get("global")
    watched = below.get("watchNamespace", namespace) if isinstance(below, Mapping) else namespace
    if watched == namespace:
        return []
    field = "release.values.global.watchNamespace"
    if not isinstance(watched, str) or not is_label(watched):
        return [
            Problem(field, "it has to be one exact namespace: the controller can't read all of them", "InvalidName")
        ]
    if watched in reserved:
        message = f"{watched} is the platform's own namespace: a tenant's controller can't read its Secrets"
        return [Problem(field, message, "ReservedNamespace")]
    message = f"gateways may miss the CA's ConfigMap, which the controller keeps in {watched} then"
    return [Problem(field, message, "WatchedElsewhere", is_fatal=False)]
