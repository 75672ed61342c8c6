"""The values that a tenant's release is installed with.

Three layers, the later ones win: defaults with which many releases live side by side, the profile's sizes, the tenant's
own `values` (judged beforehand by `value_checks`). Keys and traps are those of higress-core 2.2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from entryproxy.model.release import ReleaseSpec
from entryproxy.provision.merging import copy, merge
from entryproxy.provision.profiles import PROFILES

CORE = "higress-core"
"""Below this name the umbrella chart has everything but `global`."""
CHART_GATEWAY_NAME = "higress-gateway"
HTTP_PORT = 80
HTTPS_PORT = 443
SHARED_PORTS_FIRST = 20_000
SHARED_PORTS_PAIRS = 5_000


def release_values(tenant: str, spec: ReleaseSpec, *, umbrella: bool, namespace: str = "") -> dict[str, Any]:
    """What `helm upgrade --values` is given. umbrella: the chart has higress-core as a subchart. namespace: the
    release's, "" for `<tenant>-gateway`."""
    return for_chart(core_values(tenant, spec, namespace=namespace), spec, umbrella=umbrella)


def for_chart(core: Mapping[str, Any], spec: ReleaseSpec, *, umbrella: bool) -> dict[str, Any]:
    """`release_values` from those of `core_values`."""
    values: dict[str, Any] = copy(core)
    if not umbrella:
        return values
    outside = {key: values.pop(key) for key in _outside_core(spec.values)}
    return {"global": values.pop("global"), CORE: values, **outside}


def core_values(tenant: str, spec: ReleaseSpec, *, namespace: str = "") -> dict[str, Any]:
    """The same in higress-core's own terms, without prefix: what other objects have to agree with."""
    namespace = namespace or f"{tenant}-gateway"
    values = _defaults(tenant, spec, namespace)
    if spec.isolation == "shared":
        values = merge(values, _shared(tenant))
    values = merge(merge(values, PROFILES[spec.profile].values()), unprefixed(spec.values))
    return merge(_service_ports(values), values)


def unprefixed(own: Mapping[str, Any]) -> dict[str, Any]:
    """The tenant's own values as higress-core sees them, whether they are written for it or for the umbrella."""
    core = own.get(CORE)
    outer = {key: value for key, value in own.items() if key != CORE}
    return merge(core, outer) if isinstance(core, Mapping) else outer


def watched_namespace(values: Mapping[str, Any], namespace: str) -> str:
    """The namespace that the release's controller reads besides its own, `namespace`, by the values of `core_values`;
    "" for none."""
    watched = values["global"].get("watchNamespace") or ""
    return "" if watched == namespace else str(watched)


def listeners(values: Mapping[str, Any]) -> tuple[int, int]:
    """The ports on which the gateway's pods listen, HTTP and HTTPS, by the values of `core_values`."""
    gateway = values["gateway"]
    return gateway.get("httpPort") or HTTP_PORT, gateway.get("httpsPort") or HTTPS_PORT


def is_autoscaled(values: Mapping[str, Any]) -> bool:
    """Whether an autoscaler decides how many pods the gateway has, rather than the values. Of `core_values`."""
    return bool((values["gateway"].get("autoscaling") or {}).get("enabled"))


def _defaults(tenant: str, spec: ReleaseSpec, namespace: str) -> dict[str, Any]:
    return {
        "global": {
            "ingressClass": tenant,  # names the IngressClass: "higress" for everybody collides at the second release
            "watchNamespace": namespace,  # a controller with narrowed rights can't list what is elsewhere
            "enableGatewayAPI": spec.gateway_api,  # class and controller names are fixed: one release may have them
            "enableIstioAPI": spec.istio_api,
            "enableStatus": False,  # it would publish the gateway's address, and clients have to go to the entry's
        },
        "meshConfig": {
            "rootNamespace": namespace,  # null in the chart, and Helm's minors differ in what becomes of a null
            "defaultConfig": {"gatewayTopology": {"numTrustedProxies": 1}},  # the entry
        },
        "gateway": {
            "name": CHART_GATEWAY_NAME,
            "service": {"type": "ClusterIP"},
            "rbac": {"enabled": False},  # gateways get certificates from their controller, not from Secrets
            "unprivilegedPortSupported": True,  # without an answer the chart looks at Nodes, which needs rights
        },
        "controller": {"automaticHttps": {"enabled": False}},  # has the class "higress" hard-coded; TLS ends earlier
    }


def _shared(tenant: str) -> dict[str, Any]:
    """What must differ between releases of one namespace. Two tenants may get the same ports by chance, which matters
    only on the network of a node; there nobody's pods are."""
    place = int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:8]) % SHARED_PORTS_PAIRS
    port = SHARED_PORTS_FIRST + 2 * place
    return {
        "gateway": {"name": shared_gateway_name(tenant), "httpPort": port, "httpsPort": port + 1},
        "controller": {"name": shared_controller_name(tenant)},
    }


def shared_controller_name(tenant: str) -> str:
    """Likewise of the controller's."""
    return f"{tenant}-controller"


def shared_gateway_name(tenant: str) -> str:
    """Of the gateway's Deployment and Service in a shared namespace; the tenant's `gateway.service` has to say it."""
    return f"{tenant}-gateway"


def _service_ports(values: Mapping[str, Any]) -> dict[str, Any]:
    """The chart's Service doesn't follow when `gateway.httpPort` moves a listener."""
    http, https = listeners(values)
    if (http, https) == (HTTP_PORT, HTTPS_PORT):
        return {}
    ports = [("http2", HTTP_PORT, http), ("https", HTTPS_PORT, https)]
    return {
        "gateway": {
            "service": {
                "ports": [
                    {"name": name, "port": port, "protocol": "TCP", "targetPort": target}
                    for name, port, target in ports
                ]
            }
        }
    }


def _outside_core(own: Mapping[str, Any]) -> list[str]:
    """Top-level keys of the umbrella's other subcharts, such as higress-console."""
    return [key for key in own if key.startswith("higress-") and key != CORE]
