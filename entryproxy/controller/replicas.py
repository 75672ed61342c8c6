"""Who decides how many pods a Deployment has: its manifest, or somebody who scales it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from entryproxy.controller.metadata import get_or_none
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.conflicts import retry_on_conflict
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.paths import object_path

FIELD_MANAGER = "entryproxy-replicas"
_APPS = "apps/v1"
_DEPLOYMENT = "Deployment"

Manifest = dict[str, Any]
_decode = any_depth(msgspec.json.Decoder(dict[str, Any]).decode)


def without_foreign_replicas(manifest: Manifest, live: Mapping[str, Any], manager: str) -> Manifest:
    """The manifest without `spec.replicas` if somebody else has set that, an autoscaler or `kubectl scale`: left out,
    it stays as it is."""
    spec = manifest.get("spec")
    if not isinstance(spec, dict) or "replicas" not in spec or _deciders(live) <= {manager}:
        return manifest
    return {**manifest, "spec": {key: value for key, value in spec.items() if key != "replicas"}}


async def keep_replicas(client: ClusterClient, namespace: str, name: str, manager: str) -> None:
    """Let a Deployment that `manager` alone applies the number of be as large as it is when that one's next manifest
    doesn't say a number any more, as when autoscaling begins: the API server would drop the field, and the default is
    1. A manifest that says one takes the field back, by force.

    One that isn't there is no error. Raises ApiError.
    """
    path = object_path(_APPS, _DEPLOYMENT, namespace, name)

    async def keep() -> None:
        body = await get_or_none(client, path)
        if body is None:
            return
        live = _deployment(body)
        if _deciders(live) == {manager}:
            await client.apply(path, msgspec.json.encode(_kept(live, namespace, name)), FIELD_MANAGER)

    await retry_on_conflict(keep)


def _kept(live: Mapping[str, Any], namespace: str, name: str) -> Manifest:
    """Applied without force, so that the API server refuses it when somebody has scaled it since. It says no version:
    the Deployment's controller writes to its status at any time."""
    metadata = {"name": name, "namespace": namespace, "uid": live["metadata"]["uid"]}
    spec = {"replicas": live["spec"]["replicas"]}
    return {"apiVersion": _APPS, "kind": _DEPLOYMENT, "metadata": metadata, "spec": spec}


def _deployment(body: bytes) -> Manifest:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The gateway's Deployment can't be read") from None


def _deciders(live: Mapping[str, Any]) -> set[str]:
    """Field managers that have set the number:
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ – FieldsV1"""
    return {entry.get("manager", "") for entry in live["metadata"].get("managedFields") or [] if _has_replicas(entry)}


def _has_replicas(entry: Mapping[str, Any]) -> bool:
    return "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
