"""Where objects are on the API server: from a kind to its resource's path.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris – the kinds that a gateway's chart or we
ourselves use are known; of any other the API server is asked.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import quote

import msgspec

from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.nesting import any_depth

GROUP_VERSIONS_MAX = 256
"""How many are remembered; a cluster with many operators has about a hundred."""
_NAMESPACED = {
    "": "ConfigMap Endpoints=endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate ReplicationController"
    " ResourceQuota Secret Service ServiceAccount",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "coordination.k8s.io": "Lease",
    "discovery.k8s.io": "EndpointSlice",
    "extensions.higress.io": "WasmPlugin",
    "gateway.networking.k8s.io": "Gateway GRPCRoute HTTPRoute ReferenceGrant TCPRoute TLSRoute UDPRoute",
    "monitoring.coreos.com": "PodMonitor ServiceMonitor",
    "networking.higress.io": "Http2Rpc McpBridge",
    "networking.istio.io": "DestinationRule EnvoyFilter Gateway ProxyConfig ServiceEntry Sidecar VirtualService"
    " WorkloadEntry WorkloadGroup",
    "networking.k8s.io": "Ingress NetworkPolicy=networkpolicies",
    "policy": "PodDisruptionBudget",
    "rbac.authorization.k8s.io": "Role RoleBinding",
}
_OF_THE_CLUSTER = {
    "": "Namespace Node PersistentVolume",
    "admissionregistration.k8s.io": "MutatingWebhookConfiguration ValidatingAdmissionPolicy=validatingadmissionpolicies"
    " ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "gateway.networking.k8s.io": "GatewayClass",
    "networking.k8s.io": "IngressClass",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
    "scheduling.k8s.io": "PriorityClass",
    "storage.k8s.io": "StorageClass",
}
_GROUP_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+(?:(?:alpha|beta)[0-9]+)?")


class Resource(msgspec.Struct, frozen=True):
    """What a kind is called in a path. plural: "networkpolicies"."""

    plural: str
    is_namespaced: bool


class Named(Protocol):
    """Whatever says which object it means, such as `provision.state.Reference`."""

    @property
    def group_version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Listed(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool = False


class _ResourceList(msgspec.Struct):
    resources: list[_Listed] = []


def object_path(group_version: str, kind: str, namespace: str, name: str) -> str:
    """The path of one object; the namespace of one that belongs to the whole cluster is left out.

    group_version: "v1", "apps/v1". Raises KeyError for a kind that isn't known here, ApiError("Invalid") for what the
    API server takes for no name or namespace.
    """
    return _object_path(known(group_version, kind), group_version, namespace, name)


def collection_path(group_version: str, kind: str, namespace: str = "") -> str:
    """The path of all objects of a kind, "" for those of every namespace. Raises as `object_path`."""
    return _collection_path(known(group_version, kind), group_version, namespace)


def known(group_version: str, kind: str) -> Resource:
    """A kind of the table, whatever the version. Raises KeyError."""
    return _TABLE[_group(group_version), kind]


class Paths:
    """The same for every kind that the cluster knows. What it was told is remembered for good: a kind's resource
    doesn't change its name, and one that was missing is asked for again."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._asked: dict[str, dict[str, Resource]] = {}

    async def object(self, which: Named) -> str:
        """The path of one object. Raises ApiError: "Invalid" for a bad name, "NoKind" for a kind that isn't there."""
        resource = await self.resource(which.group_version, which.kind)
        return _object_path(resource, which.group_version, which.namespace, which.name)

    async def collection(self, group_version: str, kind: str, namespace: str = "") -> str:
        """The path of all objects of a kind. Raises ApiError."""
        return _collection_path(await self.resource(group_version, kind), group_version, namespace)

    async def resource(self, group_version: str, kind: str) -> Resource:
        """Raises ApiError; `status` 404 and reason "NoKind" for a kind that the cluster hasn't."""
        resource = _TABLE.get((_group(group_version), kind)) or self._asked.get(group_version, {}).get(kind)
        if resource is None:
            resource = (await self._ask(group_version)).get(kind)
        if resource is None:
            raise ApiError(404, "NoKind", f"The cluster has no kind {kind!r} in {group_version!r}")
        return resource

    async def is_served(self, group_version: str, kind: str) -> bool:
        """Whether the cluster has this kind, asked anew whatever is known here. Raises ApiError."""
        return kind in await self._ask(group_version)

    async def _ask(self, group_version: str) -> dict[str, Resource]:
        try:
            body = await self._client.get(_root(group_version))
            listed = _decode(body).resources
        except ApiError as error:
            if error.status != 404:
                raise
            listed = []
        except msgspec.DecodeError:
            raise ApiError(0, "Malformed", f"The API server's list of {group_version} can't be read") from None
        found = {one.kind: Resource(one.name, one.namespaced) for one in listed if "/" not in one.name}
        if found and len(self._asked) < GROUP_VERSIONS_MAX:
            self._asked[group_version] = found
        return found


_decode = any_depth(msgspec.json.Decoder(_ResourceList).decode)


def _object_path(resource: Resource, group_version: str, namespace: str, name: str) -> str:
    if resource.is_namespaced and not namespace:
        raise ApiError(422, "Invalid", f"{resource.plural} {name!r} is in no namespace")
    return f"{_collection_path(resource, group_version, namespace)}/{_segment(name)}"


def _collection_path(resource: Resource, group_version: str, namespace: str) -> str:
    scope = f"/namespaces/{_segment(namespace)}" if resource.is_namespaced and namespace else ""
    return f"{_root(group_version)}{scope}/{resource.plural}"


def _root(group_version: str) -> str:
    if not _GROUP_VERSION.fullmatch(group_version):
        raise ApiError(422, "Invalid", f"{group_version!r} is no API version")
    return f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"


def _segment(name: str) -> str:
    """As one segment of a path. What would be several, or another one, to a server that decodes it is no name:
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names"""
    if name in ("", ".", "..") or "/" in name or "%" in name or not name.isprintable():
        raise ApiError(422, "Invalid", f"{name!r} is no name of an object")
    return quote(name, safe="")


def _group(group_version: str) -> str:
    return group_version.rpartition("/")[0]


def _resource(word: str, is_namespaced: bool) -> tuple[str, Resource]:
    kind, _, plural = word.partition("=")
    ending = "es" if kind.endswith("ss") else "s"
    return kind, Resource(plural or kind.lower() + ending, is_namespaced)


_TABLE: dict[tuple[str, str], Resource] = {
    (group, kind): resource
    for table, is_namespaced in ((_NAMESPACED, True), (_OF_THE_CLUSTER, False))
    for group, words in table.items()
    for kind, resource in (_resource(word, is_namespaced) for word in words.split())
}
