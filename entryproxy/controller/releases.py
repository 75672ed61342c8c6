"""Helm releases as the API server tells them without Helm: a Secret for each revision, whose labels say enough.

A release's Secret is tens of kilobytes of manifests and values, keys included; a metadata-only list of a thousand takes
a few hundred milliseconds and reads none of that. What the labels mean: Helm 4, pkg/storage/driver/secrets.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.provision.digests import DIGEST_LABEL
from entryproxy.provision.state import HELM_STATUSES, Revision

_SELECTORS = {"labelSelector": "owner=helm", "fieldSelector": "type=helm.sh/release.v1"}

ReleaseName = tuple[str, str]
"""Namespace and name."""


class _Labels(msgspec.Struct):
    name: str
    version: str
    status: str = "unknown"
    digest: str = msgspec.field(name=DIGEST_LABEL, default="")


class _Metadata(msgspec.Struct):
    namespace: str
    labels: _Labels
    creationTimestamp: datetime  # noqa: N815 - the API's field


class _Item(msgspec.Struct):
    metadata: _Metadata


class _List(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


_decode_list = any_depth(msgspec.json.Decoder(_List).decode)
_decode_item = any_depth(msgspec.json.Decoder(_Item).decode)


async def list_releases(client: ClusterClient, namespace: str = "") -> Mapping[ReleaseName, tuple[Revision, ...]]:
    """Every release of a namespace, "" for all of them, with its revisions by number. Raises ApiError."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    found: dict[ReleaseName, list[Revision]] = {}
    async for page in client.list(f"/api/v1{scope}/secrets", _SELECTORS, metadata_only=True):
        for name, revision in parse_page(page):
            found.setdefault(name, []).append(revision)
    return {name: tuple(sorted(revisions, key=lambda one: one.number)) for name, revisions in found.items()}


def parse_page(body: bytes) -> list[tuple[ReleaseName, Revision]]:
    """A page of a metadata-only list. A Secret that only looks like a release's is left out: Helm can't read it either.
    Raises ApiError for what is no list."""
    try:
        raw = _decode_list(body).items or []
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The API server's list can't be read") from None
    return [parsed for one in raw if (parsed := _parse(one)) is not None]


def _parse(raw: msgspec.Raw) -> tuple[ReleaseName, Revision] | None:
    try:
        metadata = _decode_item(raw).metadata
        labels = metadata.labels
        status = msgspec.convert(labels.status, HELM_STATUSES)
        number = int(labels.version)
    except (msgspec.DecodeError, ValueError):
        return None
    revision = Revision(
        number=number, status=status, digest=labels.digest, created=metadata.creationTimestamp.timestamp()
    )
    return (metadata.namespace, labels.name), revision
