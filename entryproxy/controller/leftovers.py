"""What a release left behind that nobody can uninstall any more, its history having gone with its namespace.

Helm's objects carry their release's identity in two annotations; Helm itself adopts whatever carries its own.
"""

from __future__ import annotations

from collections.abc import Collection

from entryproxy.controller.metadata import Metadata, list_metadata, together
from entryproxy.controller.payload import HELM, RELEASE_NAME_ANNOTATION, RELEASE_NAMESPACE_ANNOTATION
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.paths import collection_path
from entryproxy.provision.objects import MANAGED_BY_LABEL
from entryproxy.provision.state import Reference

_RBAC = "rbac.authorization.k8s.io/v1"
_ANYWHERE = (
    (_RBAC, "ClusterRoleBinding"),
    (_RBAC, "ClusterRole"),
    ("networking.k8s.io/v1", "IngressClass"),
    (_RBAC, "RoleBinding"),  # also where the release watches Ingresses
    (_RBAC, "Role"),
)
_WITHIN = (
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
)


async def find_leftovers(
    client: ClusterClient, release: str, namespaces: Collection[str], going: Collection[str]
) -> tuple[Reference, ...]:
    """Objects of the kinds that the chart makes and that a release of this name left, in the order in which they are
    deleted: what runs before what it may do.

    namespaces: where that release may have been, and no revision of it is kept. going: those namespaces that are
    deleted as a whole, with everything in them. Objects that gateways make at run time (leases, their CA) carry no
    release's identity, and stay in a namespace that isn't ours. Raises ApiError.
    """
    within = [(*kind, namespace) for namespace in namespaces if namespace not in going for kind in _WITHIN]
    anywhere = [(*kind, "") for kind in _ANYWHERE] if namespaces else []
    found = await together(*(_left(client, release, namespaces, *where) for where in (*within, *anywhere)))
    return tuple(each for some in found for each in some if each.namespace not in going)


async def _left(
    client: ClusterClient, release: str, namespaces: Collection[str], group_version: str, kind: str, where: str
) -> list[Reference]:
    def is_left(one: Metadata) -> bool:
        notes = one.annotations
        is_of_release = notes.get(RELEASE_NAME_ANNOTATION) == release
        return is_of_release and notes.get(RELEASE_NAMESPACE_ANNOTATION) in namespaces

    path = collection_path(group_version, kind, where)
    found = await list_metadata(client, path, labels=f"{MANAGED_BY_LABEL}={HELM}", keep=is_left)
    return [Reference(group_version, kind, one.namespace, one.name) for one in found]
