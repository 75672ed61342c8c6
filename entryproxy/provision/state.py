"""What is wanted of one tenant's gateway, and what there is: the two sides that `plan` compares."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from entryproxy.model.status import Attempt

HELM_STATUSES = Literal[
    "unknown",
    "deployed",
    "uninstalled",
    "superseded",
    "failed",
    "uninstalling",
    "pending-install",
    "pending-upgrade",
    "pending-rollback",
]
"""What `helm history` says of a revision (Helm 4, pkg/release/common)."""


class Reference(msgspec.Struct, frozen=True, order=True):
    """An object of the cluster. group_version: "v1", "apps/v1"; namespace: "" for objects of the whole cluster."""

    group_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """How a release's rendered manifests are changed before they are applied, see `narrowing`.

    watched: a namespace besides the release's own that its controller may read, "" for none. has_config: whether the
    ConfigMap `higress-config` is this release's; in a shared namespace it is one release's alone. service: the Service
    that gets the label of `tenant`, so that the entry finds its pods; "" for none.
    """

    watched: str = ""
    has_config: bool = True
    service: str = ""
    tenant: str = ""


class DesiredRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A Helm release as it should be. digest: of everything that makes it, at most 63 characters: equal digests need
    no Helm. chart: a path to a packed chart, whose own digest is part of `digest`. gateway: its Deployment;
    is_autoscaled: the manifest doesn't say how many pods that has."""

    name: str
    namespace: str
    chart: str
    version: str
    values: dict[str, Any]
    digest: str
    rendering: Rendering = Rendering()
    gateway: str
    is_autoscaled: bool = False


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """What one tenant wants. source: "namespace/name" of its ConfigMap; uid: that ConfigMap's. objects: complete
    manifests in the order in which they are applied, the Namespace first if we make it. definitions: the chart's
    CustomResourceDefinitions, which are made where they are missing and never touched again."""

    tenant: str
    source: str
    uid: str
    namespace: str
    objects: tuple[dict[str, Any], ...]
    release: DesiredRelease
    definitions: tuple[dict[str, Any], ...] = ()


class ObjectState(msgspec.Struct, frozen=True, kw_only=True):
    """An object of ours in the cluster. digest: of the manifest that we applied last, from its annotation; "" if we
    never did. is_changed: somebody else has changed a field that we set. is_ours: it carries our marks for this tenant.
    """

    reference: Reference
    is_ours: bool
    digest: str = ""
    is_changed: bool = False
    is_deleting: bool = False


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a release, from the labels of its Secret. digest: of the DesiredRelease that it was made for, ""
    if somebody else made it. created: Unix seconds."""

    number: int
    status: HELM_STATUSES
    digest: str = ""
    created: float = 0.0


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """How far the release's Deployments have got. is_serving: a gateway is available. is_complete: no pod of an older
    revision is left. stalled: why it gets no further, "" as long as it may."""

    is_serving: bool = False
    is_complete: bool = True
    stalled: str = ""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one tenant. namespace: None when it isn't there. revisions: all that are kept, by number.

    is_removed: the tenant's ConfigMap is being deleted, lost its label, or asks for no release any more. has_finalizer:
    on the ConfigMap. is_withdrawn: every entry pod has had time to stop serving the tenant and to drain. rollout: of
    its Deployments. missing: objects of the deployed revision's manifest that aren't there or differ. leftovers:
    objects that carry the release's identity and belong to no revision that is kept. release_name, release_namespace:
    whose the revisions are; removal has nobody else to ask. definitions: names of the CustomResourceDefinitions that
    are there. inhabited: names of our namespaces in which somebody else has a release: they stay.

    Nothing is at work on the release while this is looked at: one round at a time for each tenant, and one leader.
    """

    namespace: ObjectState | None = None
    objects: tuple[ObjectState, ...] = ()
    revisions: tuple[Revision, ...] = ()
    release_name: str = ""
    release_namespace: str = ""
    attempt: Attempt = Attempt()
    is_removed: bool = False
    has_finalizer: bool = False
    is_withdrawn: bool = False
    rollout: Rollout = Rollout()
    missing: tuple[Reference, ...] = ()
    leftovers: tuple[Reference, ...] = ()
    definitions: frozenset[str] = frozenset()
    inhabited: frozenset[str] = frozenset()

    @property
    def is_gateway_ready(self) -> bool:
        """Whether somebody answers the entry, be it with a previous revision."""
        return self.rollout.is_serving
