"""ConfigMaps that carry our finalizer: what may have to be taken away, also when nobody calls it a tenant any more."""

from __future__ import annotations

import msgspec


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A ConfigMap with PROVISIONED_LABEL. tenant: that label's value; tenant_label: TENANT_LABEL's, "" without.
    deleted_at: when its deletion was asked for, in Unix seconds, 0 if it wasn't."""

    tenant: str
    namespace: str
    name: str
    uid: str
    tenant_label: str = ""
    deleted_at: float = 0.0
    has_finalizer: bool = True

    @property
    def source(self) -> str:
        return f"{self.namespace}/{self.name}"
