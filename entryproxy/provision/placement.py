"""Whether a release can go where its tenant says, and whether the entry would find it there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from entryproxy.model.hostname import is_label
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.objects import POD_SECURITY_LABEL
from entryproxy.provision.problems import Problem
from entryproxy.provision.values import CHART_GATEWAY_NAME, shared_gateway_name, unprefixed

CLUSTER_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_FENCED = ("baseline", "restricted")


def check_chart_source(chart: str, *, registries: Iterable[str]) -> list[Problem]:
    """Templates are rendered with the controller's rights, and `lookup` reads with them: whoever makes a chart is told
    every Secret of the cluster. So a document names what the operator offers. registries: oci:// prefixes, by whole
    segments."""
    if not chart.startswith("oci://") or any(_is_below(chart, one) for one in registries):
        return []
    message = "charts are rendered with the controller's rights, so its --chart-registries says where they may be from"
    return [Problem("release.chart", message, "RegistryNotAllowed")]


def _is_below(chart: str, registry: str) -> bool:
    return f"{chart}/".startswith(f"{registry.rstrip('/')}/") and ".." not in chart.split("/")


def check_placement(
    tenant: str, spec: TenantSpec, *, entry_namespace: str, shared_namespaces: Collection[str] | None = None
) -> list[Problem]:
    """Needs `spec.release`. Gateways at addresses of their own aren't looked for by their Service's name.

    shared_namespaces: those that several releases may live in, or that may be watched; None for any.
    """
    release = spec.release
    assert release is not None
    problems = []
    service = spec.gateway.service
    namespace = spec.gateway.namespace or ("" if release.isolation == "shared" else f"{tenant}-gateway")
    if namespace == entry_namespace or namespace in CLUSTER_NAMESPACES:
        message = f"{namespace} is the platform's own namespace: a tenant's gateway can't live there"
        problems.append(Problem("gateway.namespace", message, "ReservedNamespace"))
    if release.isolation == "shared" and not namespace:
        message = "release.isolation: shared needs the namespace that is shared; it isn't made by us"
        problems.append(Problem("gateway.namespace", message, "NamespaceMissing"))
    elif release.isolation == "shared" and not _is_open(namespace, shared_namespaces):
        problems.append(_not_shared("gateway.namespace", namespace))
    name = shared_gateway_name(tenant) if release.isolation == "shared" else CHART_GATEWAY_NAME
    if service != name and not spec.gateway.addresses:
        message = f"the release's Service is {name}: the entry would send this tenant's requests to {service}"
        problems.append(Problem("gateway.service", message, "WrongService"))
    if release.isolation == "class":
        reserved = CLUSTER_NAMESPACES | {entry_namespace}
        problems += _judge_watched(release.values, namespace, reserved, shared_namespaces)
    return problems


def check_fences(namespace: str, labels: Mapping[str, str]) -> list[Problem]:
    """Of a namespace that a tenant shares and that isn't ours to label. What a release runs there, and whatever its
    controller's account makes, would otherwise be root on the node if the values say so. labels: the live ones."""
    if labels.get(POD_SECURITY_LABEL) in _FENCED:
        return []
    command = f"kubectl label namespace {namespace} {POD_SECURITY_LABEL}=baseline --overwrite"
    message = f"{namespace} lets privileged pods in, which reach the nodes of all tenants; whoever runs it: {command}"
    return [Problem("gateway.namespace", message, "NamespaceUnfenced")]


def _judge_watched(
    own: Mapping[str, Any], namespace: str, reserved: frozenset[str], shared_namespaces: Collection[str] | None
) -> list[Problem]:
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
    if not _is_open(watched, shared_namespaces):
        return [_not_shared(field, watched)]
    message = f"gateways may miss the CA's ConfigMap, which the controller keeps in {watched} then"
    return [Problem(field, message, "WatchedElsewhere", is_fatal=False)]


def _is_open(namespace: str, shared_namespaces: Collection[str] | None) -> bool:
    return shared_namespaces is None or namespace in shared_namespaces


def _not_shared(field: str, namespace: str) -> Problem:
    """A release reads all Secrets there; and with its history there, who writes Secrets says what Helm does."""
    message = f"{namespace} is not among the controller's --shared-namespaces, which tenants may share or watch"
    return Problem(field, message, "NamespaceNotShared")
