"""ConfigMaps that carry our finalizer: what may have to be taken away, also when nobody calls it a tenant any more."""

from __future__ import annotations

import msgspec

from entryproxy.controller.metadata import Metadata, list_metadata
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.paths import collection_path
from entryproxy.model.objects import FINALIZER, PROVISIONED_LABEL, STATUS_ANNOTATION, TENANT_LABEL


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A ConfigMap with PROVISIONED_LABEL. tenant: that label's value; tenant_label: TENANT_LABEL's, "" without.
    deleted_at: when its deletion was asked for, in Unix seconds, 0 if it wasn't. status: what its STATUS_ANNOTATION
    says, "" without."""

    tenant: str
    namespace: str
    name: str
    uid: str
    tenant_label: str = ""
    deleted_at: float = 0.0
    has_finalizer: bool = True
    status: str = ""

    @property
    def source(self) -> str:
        return f"{self.namespace}/{self.name}"


async def list_holders(client: ClusterClient, entry_namespace: str, tenant: str = "") -> dict[str, tuple[Holder, ...]]:
    """Every holder by its tenant, or those of one, sorted by name; without what the ConfigMaps say. Raises ApiError."""
    path = collection_path("v1", "ConfigMap", entry_namespace)
    selector = f"{PROVISIONED_LABEL}={tenant}" if tenant else PROVISIONED_LABEL
    found: dict[str, tuple[Holder, ...]] = {}
    for one in sorted(await list_metadata(client, path, labels=selector), key=lambda one: one.name):
        holder = _holder(one)
        found[holder.tenant] = (*found.get(holder.tenant, ()), holder)
    return found


def _holder(metadata: Metadata) -> Holder:
    deleted = metadata.deletion_timestamp
    return Holder(
        tenant=metadata.labels[PROVISIONED_LABEL],
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        tenant_label=metadata.labels.get(TENANT_LABEL, ""),
        deleted_at=deleted.timestamp() if deleted is not None else 0.0,
        has_finalizer=FINALIZER in metadata.finalizers,
        status=metadata.annotations.get(STATUS_ANNOTATION, ""),
    )
