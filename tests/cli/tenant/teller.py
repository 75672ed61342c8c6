"""ConfigMaps with what a controller says of them, in place of a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from entryproxy.controller.metadata import Metadata
from entryproxy.model.objects import STATUS_ANNOTATION, TENANT_LABEL
from entryproxy.model.status import TenantStatus, encode_status


class Teller:
    """access: what commands take for the cluster; its namespace is "entry"."""

    namespace = "entry"

    def __init__(self) -> None:
        self.access: Any = self
        self._there: dict[str, Metadata] = {}

    def tell(self, tenant: str, status: TenantStatus | None, *, is_going: bool = False) -> None:
        self.write(tenant, encode_status(status) if status is not None else "", is_going=is_going)

    def write(self, tenant: str, annotation: str, *, is_going: bool = False) -> None:
        self._there[tenant] = Metadata(
            name=tenant,
            uid=f"u-{tenant}",
            labels={TENANT_LABEL: tenant},
            annotations={STATUS_ANNOTATION: annotation} if annotation else {},
            deletion_timestamp=datetime.now(UTC) if is_going else None,
        )

    def remove(self, tenant: str) -> None:
        del self._there[tenant]

    async def list_metadata(self, kind: str, tenant: str = "") -> list[Metadata]:
        assert kind == "ConfigMap"
        return [one for name, one in self._there.items() if tenant in ("", name)]
