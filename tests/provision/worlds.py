"""A tenant called acme, wanted and observed in every state that the planner's tests need."""

from __future__ import annotations

from typing import Any

from entryproxy.model.status import Attempt
from entryproxy.provision.actions import ApplyObject, Plan, reference_of
from entryproxy.provision.state import Desired, DesiredRelease, ObjectState, Observed, Reference, Revision

NOW = 1_000_000.0
NAMESPACE = "acme-gateway"
NAMESPACE_MANIFEST: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
QUOTA_MANIFEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "acme", "namespace": NAMESPACE},
    "spec": {"hard": {"requests.cpu": "4"}},
}
MANIFESTS = (NAMESPACE_MANIFEST, QUOTA_MANIFEST)


def release(digest: str = "D2") -> DesiredRelease:
    return DesiredRelease(
        name="acme",
        namespace=NAMESPACE,
        chart="/charts/c.tgz",
        version="2.2.1",
        values={"a": 1},
        digest=digest,
        gateway="higress-gateway",
    )


def desired(digest: str = "D2", manifests: tuple[dict[str, Any], ...] = MANIFESTS) -> Desired:
    return Desired(
        tenant="acme", source="entry/acme", uid="u1", namespace=NAMESPACE, objects=manifests, release=release(digest)
    )


def state(manifest: dict[str, Any], **changes: Any) -> ObjectState:
    fields: dict[str, Any] = {"is_ours": True, "digest": ApplyObject(manifest).digest, **changes}
    return ObjectState(reference=reference_of(manifest), **fields)


def revisions(*texts: str) -> tuple[Revision, ...]:
    """Each "number status digest"; without a digest it is somebody else's."""
    made = []
    for text in texts:
        number, status, *digest = text.split()
        made.append(Revision(number=int(number), status=status, digest="".join(digest)))  # type: ignore[arg-type]
    return tuple(made)


def observed(*texts: str, **changes: Any) -> Observed:
    """All objects in place and ours, the finalizer set; the release's revisions as given."""
    fields: dict[str, Any] = {
        "namespace": state(NAMESPACE_MANIFEST),
        "objects": (state(QUOTA_MANIFEST),),
        "has_finalizer": True,
        "revisions": revisions(*texts),
        "release_name": "acme",
        "release_namespace": NAMESPACE,
        **changes,
    }
    return Observed(**fields)


def failing(digest: str = "D2", seconds: float = 30.0, failures: int = 1) -> Attempt:
    return Attempt(digest=digest, failures=failures, not_before=NOW + seconds, message="Helm says no.")


def config_map(name: str, namespace: str = NAMESPACE) -> Reference:
    return Reference("v1", "ConfigMap", namespace, name)


def told(plan: Plan) -> tuple[list[str], str, str]:
    return [action.describe() for action in plan.actions], plan.phase, plan.reason
