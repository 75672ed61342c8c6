"""What the controller says of a tenant's gateway, as commands read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from entryproxy.model.objects import STATUS_ANNOTATION
from entryproxy.model.status import TenantStatus, decode_status

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess


async def read_status(access: ClusterAccess, name: str) -> TenantStatus | None:
    """Of the tenant that the ConfigMap of this name declares; None if nothing is told. Raises CommandError."""
    config_map = await access.get("ConfigMap", name)
    annotations = (config_map or {}).get("metadata", {}).get("annotations") or {}
    return decode_status(annotations.get(STATUS_ANNOTATION, ""))


def status_lines(status: TenantStatus) -> Iterator[str]:
    """For people, the most important first."""
    yield f"{status.phase} ({status.reason})"
    if status.message:
        yield status.message
    if status.revision:
        yield f"revision {status.revision} of chart version {status.chart_version} in namespace {status.namespace}"
    if status.next_retry:
        yield f"next try at {status.next_retry}"
    for one in status.conditions:
        yield f"{one.type}={one.status} since {one.last_transition_time} ({one.reason})"
