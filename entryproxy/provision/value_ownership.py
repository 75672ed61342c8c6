"""Values that a tenant may not set, because they would break isolation or because they are decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entryproxy.model.release import ReleaseSpec
from entryproxy.provision.problems import Problem
from entryproxy.provision.value_checks import ROOT
from entryproxy.provision.values import CORE, core_values, is_autoscaled

_ABSENT = object()
_ONE_NAME = "other objects, and the entry, go by the name that we give"
_ACCOUNT = "two releases with one account share its rights"
_NODE = "the node's network and folders belong to all tenants"
_CONTROL = "the gateway would take its configuration from another control plane"

RESERVED: Mapping[str, str] = {
    "global.enableGatewayAPI": "set release.gatewayAPI: one release at most may own the Gateway API's fixed names",
    "global.enableIstioAPI": "set release.istioAPI",
    "global.oneNamespace": "set release.isolation: class",
    "global.istioNamespace": "it leads into a namespace that other tenants read too",
    "global.pluginNamespace": "it leads into a namespace that other tenants read too",
    "global.local": _NODE,
    "global.kind": _NODE,
    "global.volumeWasmPlugins": _NODE,
    "global.enableProxyProtocol": "the entry doesn't speak it to gateways, which would refuse every connection",
    "global.remotePilotAddress": _CONTROL,
    "global.externalIstiod": _CONTROL,
    "global.configCluster": _CONTROL,
    "global.caAddress": _CONTROL,
    "meshConfig.configSources": _CONTROL,
    "meshConfig.rootNamespace": "it is the release's own namespace: objects of any other would reach this gateway",
    "meshConfig.defaultConfig.discoveryAddress": _CONTROL,
    "meshConfig.defaultConfig.gatewayTopology": "exactly one hop, the entry, is trusted",
    "gateway.name": _ONE_NAME,
    "gateway.kind": "the controller waits for a Deployment",
    "gateway.hostNetwork": _NODE,
    "gateway.rbac": "gateways need no rights on Secrets",
    "gateway.serviceAccount.create": _ACCOUNT,
    "gateway.serviceAccount.name": _ACCOUNT,
    "gateway.unprivilegedPortSupported": "pods that run as root are not admitted",
    "gateway.labels.app": "Service, NetworkPolicy and controller select by this label",
    "gateway.labels.higress": "Service, NetworkPolicy and controller select by this label",
    "controller.name": _ONE_NAME,
    "controller.rbac": "no template reads it, and the rights are narrowed after rendering",
    "controller.serviceAccount.create": _ACCOUNT,
    "controller.serviceAccount.name": _ACCOUNT,
    "controller.labels.app": "Service and Deployment select by this label",
    "controller.labels.higress": "Service and Deployment select by this label",
    "controller.automaticHttps": 'it works for the class "higress" only; the entry has the certificates',
}
"""Paths in higress-core's terms and why each isn't a tenant's to set."""

PRIORITY_CLASS = "global.priorityClassName"

ONE_PER_NAMESPACE: Mapping[str, str] = {
    "global.enableRedis": "a second Redis in one namespace has the same name",
    "global.enablePluginServer": "a second plugin server in one namespace has the same name",
}


def check_own_values(tenant: str, spec: ReleaseSpec, *, namespace: str = "") -> list[Problem]:
    """What `spec.values` may not say, with and without the umbrella's prefix alike. namespace: the release's, "" for
    `<tenant>-gateway`. Whether the keys exist is for `check_values` to say."""
    reserved = dict(RESERVED)
    if spec.isolation != "class":
        reserved["global.watchNamespace"] = "it needs release.isolation: class"
    if spec.isolation == "shared":
        reserved |= ONE_PER_NAMESPACE
    problems = []
    for prefix, own in _spellings(spec.values):
        found = {path: reason for path, reason in reserved.items() if _is_touched(own, path)}
        found |= _judge_class(own, tenant) | _judge_priority(own)
        problems += [Problem(f"{ROOT}.{prefix}{path}", why, "ReservedValue") for path, why in found.items()]
        problems += _judge_ancestors(own, prefix) + _judge_service(own, prefix)
    if any(problem.is_fatal for problem in problems):
        return problems
    return problems + _judge_replicas(tenant, spec, namespace)


def _spellings(values: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    spellings = [("", values)]
    core = values.get(CORE)
    if isinstance(core, Mapping):
        spellings.append((f"{CORE}.", core))
    return spellings


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return _ABSENT
        found = found[key]
    return found


def _is_touched(own: Mapping[str, Any], path: str) -> bool:
    return _at(own, path) is not _ABSENT


def _judge_ancestors(own: Mapping[str, Any], prefix: str) -> list[Problem]:
    """A null, or anything but a mapping, above what we decide would take our values away with it."""
    ours = [*RESERVED, "global.ingressClass", "gateway.service.type", "gateway.autoscaling.enabled"]
    above = {path[:end] for path in ours for end, letter in enumerate(path) if letter == "."} - RESERVED.keys()
    return [
        Problem(f"{ROOT}.{prefix}{path}", "it has to be a mapping: values that we decide are below it", "ReservedValue")
        for path in sorted(above)
        if (value := _at(own, path)) is not _ABSENT and not isinstance(value, Mapping)
    ]


def _judge_class(own: Mapping[str, Any], tenant: str) -> dict[str, str]:
    match _at(own, "global.ingressClass"):
        case value if value is _ABSENT or value == tenant:
            return {}
        case "":
            return {"global.ingressClass": "without a class the gateway takes every tenant's Ingresses"}
        case "nginx":
            return {"global.ingressClass": "with this class the gateway also takes Ingresses without a class"}
    return {"global.ingressClass": f'the class is the tenant\'s own, "{tenant}": another one collides with its owner'}


def _judge_priority(own: Mapping[str, Any]) -> dict[str, str]:
    """The chart's one key, for all its pods. An admission policy holds whatever else makes pods there to it."""
    value = _at(own, PRIORITY_CLASS)
    if not isinstance(value, str) or not value.strip().startswith("system-"):
        return {}
    return {PRIORITY_CLASS: "such pods push the entry's and other tenants' pods off their nodes"}


def _judge_service(own: Mapping[str, Any], prefix: str) -> list[Problem]:
    if _at(own, "gateway.service.type") in (_ABSENT, "ClusterIP"):
        return []
    message = "with anything but ClusterIP, clients may pass the entry by; the NetworkPolicy is all that keeps them out"
    return [Problem(f"{ROOT}.{prefix}gateway.service.type", message, "ExposedGateway", is_fatal=False)]


def _judge_replicas(tenant: str, spec: ReleaseSpec, namespace: str) -> list[Problem]:
    if not is_autoscaled(core_values(tenant, spec, namespace=namespace)):
        return []
    message = "the chart ignores it while autoscaling is on: set gateway.autoscaling.minReplicas"
    return [
        Problem(f"{ROOT}.{prefix}gateway.replicas", message, "IneffectiveValue", is_fatal=False)
        for prefix, own in _spellings(spec.values)
        if _is_touched(own, "gateway.replicas")
    ]
