"""The three kinds that make up a configuration: where they are listed and watched, and by which selectors."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from entryproxy.config.kubernetes.kinds import CONFIG_MAP, ENDPOINT_SLICE, SECRET, Kind
from entryproxy.model.objects import TENANT_LABEL, TLS_SECRET_TYPE


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One collection. namespace: "" for all of them. is_vital: without it there is no configuration.

    plural, group: as in RBAC rules. path, selectors: as the API takes them.
    """

    kind: Kind
    plural: str
    group: str
    namespace: str
    path: str
    selectors: Mapping[str, str]
    is_vital: bool

    @property
    def reference(self) -> str:
        """All of its objects, whichever there are: "Secrets higress-system/?"."""
        return f"{self.kind.name}s {self.namespace or '*'}/?"

    @property
    def permission(self) -> str:
        """What follows the verb in `kubectl auth can-i`."""
        where = f"--namespace {self.namespace}" if self.namespace else "--all-namespaces"
        return f"{self.plural}.{self.group} {where}" if self.group else f"{self.plural} {where}"


def config_maps(namespace: str) -> Resource:
    """Tenants and platform settings."""
    return Resource(
        kind=CONFIG_MAP,
        plural="configmaps",
        group="",
        namespace=namespace,
        path=f"/api/v1/namespaces/{namespace}/configmaps",
        selectors={"labelSelector": TENANT_LABEL},
        is_vital=True,
    )


def secrets(namespace: str) -> Resource:
    """Certificates; Secrets of other types never leave the API server."""
    return Resource(
        kind=SECRET,
        plural="secrets",
        group="",
        namespace=namespace,
        path=f"/api/v1/namespaces/{namespace}/secrets",
        selectors={"labelSelector": TENANT_LABEL, "fieldSelector": f"type={TLS_SECRET_TYPE}"},
        is_vital=True,
    )


def endpoint_slices() -> Resource:
    """Pods of the tenants' gateways; they have the label from their Service."""
    return Resource(
        kind=ENDPOINT_SLICE,
        plural="endpointslices",
        group="discovery.k8s.io",
        namespace="",
        path="/apis/discovery.k8s.io/v1/endpointslices",
        selectors={"labelSelector": TENANT_LABEL},
        is_vital=False,
    )


def of_entry(namespace: str) -> tuple[Resource, ...]:
    """All that an entry in that namespace reads."""
    return config_maps(namespace), secrets(namespace), endpoint_slices()
