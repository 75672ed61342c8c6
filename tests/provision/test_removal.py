from __future__ import annotations

import pytest

from entryproxy.provision.removal import plan_removal
from entryproxy.provision.state import ObjectState, Observed, Reference
from tests.provision.worlds import NAMESPACE_MANIFEST, NOW, QUOTA_MANIFEST, config_map, observed, state, told

ROLE = Reference("rbac.authorization.k8s.io/v1", "ClusterRole", "", "higress-gateway-acme-gateway")
MINE = ObjectState(reference=ROLE, is_ours=True)
GIVEN = {"namespace": state(NAMESPACE_MANIFEST, is_ours=False)}
GONE = {"namespace": None, "objects": ()}
UNINSTALL = "uninstall release acme-gateway/acme"
DROP = "drop our finalizer from the tenant's ConfigMap"
DELETE_NAMESPACE = "delete Namespace acme-gateway"
INHABITED = frozenset({"acme-gateway"})

CASES: dict[str, tuple[Observed, list[str], str, str]] = {
    "still served": (observed("1 deployed D1"), [], "Removing", "Withdrawing"),
    "only objects, still served": (observed(), [], "Removing", "Withdrawing"),
    **{
        f"highest {status}": (
            observed("1 superseded D1", f"2 {status} D1", is_withdrawn=True), [UNINSTALL], "Removing", "Uninstalling",
        )
        for status in ("deployed", "failed", "pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
    },
    "leftovers of the release": (
        observed(is_withdrawn=True, leftovers=(ROLE, config_map("x", "elsewhere"))),
        [f"delete {ROLE}", "delete ConfigMap elsewhere/x"], "Removing", "DeletingObjects",
    ),
    "an object outside the namespace": (
        observed(is_withdrawn=True, objects=(state(QUOTA_MANIFEST), MINE), leftovers=(ROLE,)),
        [f"delete {ROLE}"], "Removing", "DeletingObjects",
    ),
    "objects in a namespace that isn't ours": (
        observed(is_withdrawn=True, **GIVEN), ["delete ResourceQuota acme-gateway/acme"], "Removing", "DeletingObjects",
    ),
    "the namespace last": (observed(is_withdrawn=True), [DELETE_NAMESPACE], "Removing", "DeletingNamespace"),
    "the namespace ends": (
        observed(is_withdrawn=True, namespace=state(NAMESPACE_MANIFEST, is_deleting=True)), [],
        "Removing", "NamespaceTerminating",
    ),
    "all gone": (observed(is_withdrawn=True, **GONE), [DROP], "Removed", "Removed"),
    "there never was anything": (observed(**GONE), [DROP], "Removed", "Removed"),
    "all gone, nothing held": (observed(has_finalizer=False, **GONE), [], "Removed", "Removed"),
    "only a namespace that isn't ours": (
        observed(objects=(), is_withdrawn=True, **GIVEN), [DROP], "Removed", "Removed",
    ),
    "somebody's object in a namespace that isn't ours": (
        observed(objects=(state(QUOTA_MANIFEST, is_ours=False),), is_withdrawn=True, **GIVEN), [DROP],
        "Removed", "Removed",
    ),
    "somebody's release in our namespace": (
        observed(objects=(state(QUOTA_MANIFEST),), is_withdrawn=True, inhabited=INHABITED),
        ["delete ResourceQuota acme-gateway/acme"], "Removing", "DeletingObjects",
    ),
    "all but a namespace with somebody's release": (
        observed(objects=(), is_withdrawn=True, inhabited=INHABITED), [DROP], "Removed", "Removed",
    ),
    "another namespace of ours with somebody's release": (
        observed(objects=(state(NAMESPACE_MANIFEST),), is_withdrawn=True, inhabited=INHABITED, namespace=None), [DROP],
        "Removed", "Removed",
    ),
    "somebody's release of our name": (
        observed("1 deployed", objects=(), is_withdrawn=True, inhabited=INHABITED), [DROP], "Removed", "Removed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("there", "actions", "phase", "reason"), CASES.values(), ids=CASES.keys())
def test_stage(there: Observed, actions: list[str], phase: str, reason: str) -> None:
    made = plan_removal(there, NOW)
    assert told(made) == (actions, phase, reason)
    assert (made.next_at is None) == (phase == "Removed")


def test_what_stays_is_said() -> None:
    message = plan_removal(CASES["only a namespace that isn't ours"][0], NOW).message
    assert message == "Everything of ours is gone. Namespace acme-gateway was left: it isn't ours."
    message = plan_removal(CASES["somebody's release of our name"][0], NOW).message
    assert "Release acme was left: somebody else made it." in message
    assert "Namespace acme-gateway was left: it holds a release that isn't ours." in message
