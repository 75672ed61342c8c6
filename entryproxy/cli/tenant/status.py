"""What the controller says of tenants' gateways, as commands read it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from entryproxy.cli.cluster import on_cluster
from entryproxy.model.objects import CONFIG_MAP, STATUS_ANNOTATION, TENANT_LABEL
from entryproxy.model.status import TenantStatus, decode_status
from entryproxy.model.times import rfc3339

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """By one ConfigMap. tenant: its label's value; uid: its own; status: None when nothing is told; is_going: it is
    being removed, and stays until its gateway is taken away. created: RFC 3339, "" when not known."""

    tenant: str
    uid: str
    status: TenantStatus | None
    is_going: bool = False
    created: str = ""


async def read_told(access: ClusterAccess, tenant: str = "") -> Mapping[str, Told]:
    """By "namespace/name" of the ConfigMaps. tenant: "" for all. Raises CommandError."""
    found = await access.list_metadata(CONFIG_MAP, tenant)
    return {
        f"{access.namespace}/{one.name}": Told(
            tenant=one.labels.get(TENANT_LABEL, ""),
            uid=one.uid,
            status=decode_status(one.annotations.get(STATUS_ANNOTATION, "")),
            is_going=one.deletion_timestamp is not None,
            created=rfc3339(one.creation_timestamp.timestamp()) if one.creation_timestamp is not None else "",
        )
        for one in found
    }


def told_at(args: argparse.Namespace, tenant: str = "") -> Mapping[str, Told] | None:
    """Likewise, where the arguments of `judge_source` lead to; None for a folder, in which nobody tells anything."""
    return None if args.folder is not None else on_cluster(args, lambda access: read_told(access, tenant))


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
