"""The end of what somebody left pending: no Helm that is still under way can call that revision deployed any more.

Whoever led before us has ended its Helm, or died with it, unless it was frozen: then its children go on, and one that
comes to its end after we went back would leave two deployed revisions. Kubernetes takes no other data for an immutable
Secret, but lets it be deleted, as Helm does with old revisions. Of Helm's own operations only an uninstall writes to a
pending revision, and goes on when it can't (Helm 4, pkg/action/uninstall.go).
"""

from __future__ import annotations

import msgspec

from entryproxy.controller.own_objects import FIELD_MANAGER
from entryproxy.controller.present import read_metadata
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.paths import object_path
from entryproxy.provision.state import Revision


async def seal(client: ClusterClient, namespace: str, release: str, revision: Revision) -> None:
    """Does nothing unless the revision is pending. Raises ApiError."""
    if not revision.status.startswith("pending-"):
        return
    name = f"sh.helm.release.v1.{release}.v{revision.number}"
    path = object_path("v1", "Secret", namespace, name)
    there = await read_metadata(client, path)
    if there is None:
        return
    metadata = {"namespace": namespace, "name": name, "uid": there.uid}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "immutable": True}
    await client.apply(path, msgspec.json.encode(secret), FIELD_MANAGER)
