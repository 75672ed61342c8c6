"""The objects around a tenant's release, as complete manifests: its namespace, and what keeps that to itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from entryproxy.model.release import Isolation, NamespaceSpec, QuotaSpec, Subject, parse_admin
from entryproxy.provision.access import ADMIN_RULES
from entryproxy.provision.digests import DIGEST_ANNOTATION, manifest_digest

Manifest = dict[str, Any]
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
OWNER_LABEL = "entryproxy.higress.io/owner"
"""Not the label that entries watch: an object of ours must never be taken for a tenant."""
POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
SOURCE_ANNOTATION = "entryproxy.higress.io/source"
METRICS_PORT = 15020
GATEWAY_POLICY = "entryproxy-gateway"


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a release goes. source: "namespace/name" of the tenant's ConfigMap. gateway_name: of its Deployment.
    ports: on which the gateway's pods listen."""

    tenant: str
    namespace: str
    source: str
    entry_namespace: str
    isolation: Isolation
    gateway_name: str
    ports: tuple[int, int]


def namespace_objects(around: Surroundings, spec: NamespaceSpec) -> tuple[Manifest, ...]:
    """In the order in which they are applied. A shared namespace is somebody else's, and so are its quota and its
    admins, which would rule over the neighbours as well; only the gateway's own policy is made there."""
    objects: list[Manifest] = []
    if around.isolation != "shared":
        objects.append(_namespace(around))
        objects += _quota(around, spec.quota)
    if spec.network_policy:
        objects += _network_policies(around)
    if spec.admins and around.isolation != "shared":
        objects += _admins(around, [parse_admin(admin) for admin in spec.admins])
    return tuple(_with_digest(one) for one in objects)


def _manifest(around: Surroundings, api_version: str, kind: str, name: str, **body: Any) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": around.namespace,
            "labels": {MANAGED_BY_LABEL: "entryproxy", OWNER_LABEL: around.tenant},
            "annotations": {SOURCE_ANNOTATION: around.source},
        },
        **body,
    }


def _with_digest(manifest: Manifest) -> Manifest:
    manifest["metadata"]["annotations"][DIGEST_ANNOTATION] = manifest_digest(manifest)
    return manifest


def _namespace(around: Surroundings) -> Manifest:
    """Pods are held to the Pod Security Standard "baseline": no host network, host ports, host folders or privileges.

    "restricted" would refuse the chart's pods: none sets a seccompProfile, and the controller's first container sets no
    securityContext at all.
    """
    manifest = _manifest(around, "v1", "Namespace", around.namespace)
    del manifest["metadata"]["namespace"]
    manifest["metadata"]["labels"][POD_SECURITY_LABEL] = "baseline"
    return manifest


def _quota(around: Surroundings, quota: QuotaSpec) -> Iterator[Manifest]:
    """On requests, by which nodes are shared out. Limits aren't counted: the chart has a container without any, and a
    default limit for it would have to know its requests."""
    hard = {f"requests.{resource}": quantity for resource, quantity in msgspec.to_builtins(quota).items() if quantity}
    if not hard:
        return
    yield _manifest(around, "v1", "ResourceQuota", "entryproxy", spec={"hard": hard})
    # A quota refuses pods with a container that requests nothing, such as those of a tenant's own or an injected one.
    default = {"type": "Container", "defaultRequest": {"cpu": "100m", "memory": "128Mi"}}
    yield _manifest(around, "v1", "LimitRange", "entryproxy", spec={"limits": [default]})


def _network_policies(around: Surroundings) -> Iterator[Manifest]:
    """Who may connect to the tenant's pods. Policies add up: an operator's own one lets others in, such as a Prometheus
    outside the entry's namespace.

    Egress stays open: gateways go to upstreams anywhere. "Anywhere but other tenants' namespaces" can't be expressed,
    as policies only allow; tenants are kept apart because each one's namespace lets nobody in.
    """
    if around.isolation != "shared":
        within = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
        yield _manifest(around, "networking.k8s.io/v1", "NetworkPolicy", "entryproxy-namespace", spec=within)
    entry = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": around.entry_namespace}}}
    gateway = {
        "podSelector": {"matchLabels": {"higress": f"{around.namespace}-{around.gateway_name}"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [entry],
                "ports": [{"protocol": "TCP", "port": port} for port in (*around.ports, METRICS_PORT)],
            }
        ],
    }
    name = GATEWAY_POLICY if around.isolation != "shared" else f"{GATEWAY_POLICY}-{around.tenant}"
    yield _manifest(around, "networking.k8s.io/v1", "NetworkPolicy", name, spec=gateway)


def _admins(around: Surroundings, admins: list[Subject]) -> Iterator[Manifest]:
    group = "rbac.authorization.k8s.io"
    rules = [{key: list(words) for key, words in rule.items()} for rule in ADMIN_RULES]
    yield _manifest(around, f"{group}/v1", "Role", "entryproxy-admin", rules=rules)
    yield _manifest(
        around,
        f"{group}/v1",
        "RoleBinding",
        "entryproxy-admin",
        roleRef={"apiGroup": group, "kind": "Role", "name": "entryproxy-admin"},
        subjects=[_subject(admin, group) for admin in admins],
    )


def _subject(admin: Subject, group: str) -> dict[str, str]:
    if admin.kind == "ServiceAccount":
        return {"kind": admin.kind, "name": admin.name, "namespace": admin.namespace}
    return {"kind": admin.kind, "name": admin.name, "apiGroup": group}
