"""Renders the chart with the real Helm, and finds objects in what it gives."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.support import require_tool

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "chart"
EXAMPLES = DEPLOY / "examples"
NAMESPACE = "higress-system"

_HELM_SECONDS_MAX = 60

EVERYTHING: dict[str, Any] = {
    "platform": {
        "systemDomain": "aigw.example.com",
        "unknownSni": "default",
        "httpsRedirect": False,
        "trustedProxies": ["10.0.0.0/8", "fd00::/8"],
        "tls": {"minVersion": "1.3"},
        "limits": {"requestBodyBytes": 2**53, "requestsPerSecond": 0},
        "timeouts": {"connect": 0.5},
    },
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": ["registry"],
    "bindAddress": "::",
    "proxyProtocol": True,
    "podLabels": {"team": "edge"},
    "podAnnotations": {"example.com/note": "1"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "edge", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "autoscaling": {"enabled": True},
    "podDisruptionBudget": {"maxUnavailable": "20%"},
    "serviceAccount": {"annotations": {"example.com/role": "none"}},
    "service": {
        "annotations": {"example.com/load-balancer": "nlb"},
        "loadBalancerClass": "example.com/nlb",
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
        "ipFamilyPolicy": "PreferDualStack",
        "nodePorts": {"https": 30043, "http": 30080},  # the cluster gives out those above 30085 by chance
    },
    "networkPolicy": {"egress": {"apiServer": ["192.0.2.1/32"], "gatewayPorts": [80, 8080]}},
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Edge"}},
    },
}
"""Values with every switch on, the controller's aside."""

CONTROLLER: dict[str, Any] = {"controller": {"enabled": True}}

CONTROLLER_EVERYTHING: dict[str, Any] = {
    **EVERYTHING,
    "controller": {
        "enabled": True,
        "replicas": 3,
        "chart": {
            "repository": "https://charts.example.com/higress",
            "plainHttp": True,
            "registries": ["oci://registry.example.com/charts", "oci://mirror.example.com"],
        },
        "charts": {"volume": {"configMap": {"name": "charts"}}},
        "repositories": {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [80, 443]},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "sharedNamespaces": ["small", "smaller"],
        "admissionPolicies": {"exemptUsers": ["oidc:backup@example.com"]},
    },
}
"""Values with every switch on, the controller's too."""


class HelmError(Exception):
    """Helm failed; the message is what it said."""


def helm(*arguments: str, values: dict[str, Any] | None = None, kubeconfig: Path | None = None) -> str:
    """What Helm prints; raises HelmError. It gets `values` on its standard input, for `--values -`."""
    # The machine's own settings have no say here, and what is remembered of a control plane goes with its folder.
    home = str(kubeconfig.parent) if kubeconfig else "/nonexistent"
    environment = {"HOME": home, "PATH": os.environ["PATH"]}
    if kubeconfig is not None:
        environment["KUBECONFIG"] = str(kubeconfig)
    done = subprocess.run(
        [require_tool("helm"), *arguments],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        timeout=_HELM_SECONDS_MAX,
        env=environment,
    )
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def template(values: dict[str, Any] | None = None, name: str = "entryproxy", namespace: str = NAMESPACE) -> str:
    """The manifests as YAML."""
    return helm("template", name, str(CHART), "--namespace", namespace, "--values", "-", values=values)


def render(values: dict[str, Any] | None = None, name: str = "entryproxy") -> list[Any]:
    """The manifests as objects."""
    return [document for document in yaml.safe_load_all(template(values, name)) if document]


def one(objects: Iterable[Any], kind: str, suffix: str = "") -> Any:
    """The only object of this kind whose name ends like that."""
    found = [item for item in objects if item["kind"] == kind and item["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, [(item["kind"], item["metadata"]["name"]) for item in found]
    return found[0]


def pod_of(objects: Iterable[Any]) -> Any:
    """The pod template of the Deployment."""
    return one(objects, "Deployment")["spec"]["template"]


def container_of(objects: Iterable[Any]) -> Any:
    return pod_of(objects)["spec"]["containers"][0]
