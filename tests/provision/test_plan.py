from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.provision.plan import BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_MIN, back_off_seconds, plan
from entryproxy.provision.state import Desired, Observed, Rollout
from tests.provision.worlds import (
    NAMESPACE_MANIFEST,
    NOW,
    QUOTA_MANIFEST,
    config_map,
    desired,
    failing,
    observed,
    state,
    told,
)

FINALIZER = "add our finalizer to the tenant's ConfigMap"
APPLY_NAMESPACE = "apply Namespace acme-gateway"
APPLY_QUOTA = "apply ResourceQuota acme-gateway/acme"
INSTALL = "install release acme-gateway/acme (chart version 2.2.1, digest D2)"
UNINSTALL = "uninstall release acme-gateway/acme"
DROP = "drop our finalizer from the tenant's ConfigMap"
POLICY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old", "namespace": "acme-gateway"}}
LEFT = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme-old"}}
IN_LEFT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "acme-old"}}
ROLLING = Rollout(is_serving=True, is_complete=False)
STALLED = Rollout(is_serving=True, is_complete=False, stalled="Deployment g: image pull failed")
LOST = Rollout(stalled="Deployment g: node lost")
SERVING = {"rollout": Rollout(is_serving=True)}


def upgrade(number: int, digest: str = "D2") -> str:
    return f"upgrade release acme-gateway/acme from revision {number} (chart version 2.2.1, digest {digest})"


def rollback(number: int, reason: str) -> str:
    return f"roll release acme-gateway/acme back to revision {number} ({reason})"


Golden = tuple[Desired | None, Observed, list[str], str, str]
CASES: dict[str, Golden] = {
    # Objects and the first revision
    "nothing is there": (
        desired(), Observed(), [FINALIZER, APPLY_NAMESPACE, APPLY_QUOTA, INSTALL], "Provisioning", "Installing",
    ),
    "only objects are there": (desired(), observed(), [INSTALL], "Provisioning", "Installing"),
    "uninstalled with its history kept": (
        desired(), observed("1 uninstalled D2"), [INSTALL], "Provisioning", "Installing",
    ),
    "installed, gateway starting": (desired(), observed("1 deployed D2"), [], "Provisioning", "GatewayNotReady"),
    "installed and serving": (desired(), observed("1 deployed D2", **SERVING), [], "Ready", "Ready"),
    "left by its tenant, with somebody's release": (
        desired(), observed("1 deployed D2", objects=(state(QUOTA_MANIFEST), state(LEFT), state(IN_LEFT)),
        inhabited=frozenset({"acme-old"}), **SERVING),
        ["delete ConfigMap acme-old/one"], "Ready", "Repairing",
    ),
    "its pods take the place of older ones": (
        desired(), observed("1 superseded D1", "2 deployed D2", rollout=ROLLING), [], "Upgrading", "RollingOut",
    ),
    "its pods don't come up": (
        desired(), observed("1 superseded D1", "2 deployed D2", rollout=STALLED), [rollback(1, "RolloutFailed")],
        "RollingBack", "RolloutFailed",
    ),
    "its pods don't come up, and an object of it is gone": (
        desired(), observed("1 superseded D1", "2 deployed D2", rollout=STALLED, missing=(config_map("a"),)),
        [rollback(1, "RolloutFailed")], "RollingBack", "RolloutFailed",
    ),
    "its pods don't come up for the object that is gone": (
        desired(), observed("1 deployed D2", rollout=LOST, missing=(config_map("a"),)),
        ["apply again from the deployed manifest: ConfigMap acme-gateway/a"], "Provisioning", "Repairing",
    ),
    "its pods don't come up again": (
        desired(), observed("2 superseded D2", "3 superseded D1", "4 deployed D2", rollout=STALLED, attempt=failing()),
        [rollback(3, "RolloutFailed")], "RollingBack", "RolloutFailed",
    ),
    "its pods don't come up, and there is nothing to go back to": (
        desired(), observed("1 failed D1", "2 deployed D2", rollout=STALLED), [], "Failed", "RolloutFailed",
    ),
    "no gateway is available, and none is older": (
        desired(), observed("1 superseded D1", "2 deployed D2", rollout=LOST),
        [], "Failed", "GatewayUnavailable",
    ),
    "after that": (
        desired(), observed("1 superseded D1", "2 superseded D2", "3 deployed D1", attempt=failing(), **SERVING),
        [], "Failed", "UpgradeFailed",
    ),
    "old failures below the deployed one don't matter": (
        desired(), observed("1 pending-install D1", "2 failed D1", "3 deployed D2", **SERVING), [], "Ready", "Ready",
    ),
    "finalizer lost": (
        desired(), observed("1 deployed D2", has_finalizer=False, **SERVING), [FINALIZER], "Ready", "Ready",
    ),
    # Drift
    "an object is gone": (
        desired(), observed("1 deployed D2", objects=(), **SERVING), [APPLY_QUOTA], "Ready", "Repairing",
    ),
    "an object was applied with other content": (
        desired(), observed("1 deployed D2", objects=(state(QUOTA_MANIFEST, digest="other"),), **SERVING),
        [APPLY_QUOTA], "Ready", "Repairing",
    ),
    "an object was changed by somebody": (
        desired(), observed("1 deployed D2", objects=(state(QUOTA_MANIFEST, is_changed=True),), **SERVING),
        [APPLY_QUOTA], "Ready", "Repairing",
    ),
    "an object isn't wanted any more": (
        desired(manifests=(NAMESPACE_MANIFEST,)), observed("1 deployed D2", **SERVING),
        ["delete ResourceQuota acme-gateway/acme"], "Ready", "Repairing",
    ),
    "a namespace that isn't wanted any more stays": (
        desired(manifests=(QUOTA_MANIFEST,)), observed("1 deployed D2", **SERVING), [], "Ready", "Ready",
    ),
    "a namespace that the tenant has left goes with what is in it": (
        desired(),
        observed("1 deployed D2", objects=(state(QUOTA_MANIFEST), state(LEFT), state(IN_LEFT)), **SERVING),
        ["delete Namespace acme-old"], "Ready", "Repairing",
    ),
    "the release is in the namespace that the tenant has left": (
        desired(), observed("1 deployed D2", release_namespace="acme-old", **SERVING),
        ["uninstall release acme-old/acme"], "Provisioning", "Moving",
    ),
    "somebody's object that we never wanted stays": (
        desired(), observed("1 deployed D2", objects=(state(QUOTA_MANIFEST), state(POLICY, is_ours=False)), **SERVING),
        [], "Ready", "Ready",
    ),
    "objects of the release are gone": (
        desired(), observed("1 deployed D2", missing=(config_map("a"), config_map("b")), **SERVING),
        ["apply again from the deployed manifest: ConfigMap acme-gateway/a, ConfigMap acme-gateway/b"],
        "Ready", "Repairing",
    ),
    "objects of the release are gone, and the gateway with them": (
        desired(), observed("1 deployed D2", missing=(config_map("a"),)),
        ["apply again from the deployed manifest: ConfigMap acme-gateway/a"], "Provisioning", "Repairing",
    ),
    # Refused, deleting
    "a foreign object": (
        desired(), observed("1 deployed D1", objects=(state(QUOTA_MANIFEST, is_ours=False),), has_finalizer=False),
        [], "Failed", "NotOurs",
    ),
    "a foreign namespace": (
        desired(), Observed(namespace=state(NAMESPACE_MANIFEST, is_ours=False)), [], "Failed", "NotOurs",
    ),
    "a foreign release": (desired(), observed("1 deployed", "2 failed"), [], "Failed", "NotOurs"),
    "a given namespace": (
        desired(manifests=(QUOTA_MANIFEST,)), observed(namespace=state(NAMESPACE_MANIFEST, is_ours=False)),
        [INSTALL], "Provisioning", "Installing",
    ),
    "a given namespace that isn't there": (
        desired(manifests=(QUOTA_MANIFEST,)), Observed(), [], "Failed", "NamespaceMissing",
    ),
    "the namespace is being deleted": (
        desired(), observed("1 deployed D2", namespace=state(NAMESPACE_MANIFEST, is_deleting=True)),
        [], "Provisioning", "WaitingForRemoval",
    ),
    "an object is being deleted": (
        desired(), observed("1 deployed D1", objects=(state(QUOTA_MANIFEST, is_deleting=True),)),
        [], "Provisioning", "WaitingForRemoval",
    ),
    # Upgrades
    "another digest is wanted": (desired(), observed("1 deployed D1"), [upgrade(1)], "Upgrading", "Upgrading"),
    "another digest and another object": (
        desired(), observed("1 deployed D1", objects=()), [APPLY_QUOTA, upgrade(1)], "Upgrading", "Upgrading",
    ),
    "somebody deleted the highest revision": (
        desired(), observed("1 superseded D1"), [upgrade(1)], "Provisioning", "Installing",
    ),
    # Left behind by somebody who was stopped
    "pending-install": (desired(), observed("1 pending-install D2"), [UNINSTALL], "Provisioning", "InterruptedInstall"),
    "pending-upgrade": (
        desired(), observed("1 superseded D0", "2 deployed D1", "3 pending-upgrade D2"),
        [rollback(2, "InterruptedUpgrade")], "RollingBack", "InterruptedUpgrade",
    ),
    "pending-upgrade between Helm's last two writes": (
        desired(), observed("1 superseded D0", "2 superseded D1", "3 pending-upgrade D2"),
        [rollback(2, "InterruptedUpgrade")], "RollingBack", "InterruptedUpgrade",
    ),
    "pending-rollback over a superseded revision known bad": (
        desired(), observed("1 superseded D1", "2 superseded D2", "3 pending-rollback D1", attempt=failing()),
        [rollback(1, "InterruptedRollback")], "RollingBack", "InterruptedRollback",
    ),
    "pending-upgrade with nothing good below": (
        desired(), observed("1 failed D1", "2 pending-upgrade D2"),
        [rollback(2, "InterruptedUpgrade")], "RollingBack", "InterruptedUpgrade",
    ),
    "pending-upgrade with nothing good at all": (
        desired(), observed("1 failed D2", "2 pending-upgrade D2", attempt=failing()),
        [UNINSTALL], "Provisioning", "InterruptedInstall",
    ),
    "uninstalling while wanted": (
        desired(), observed("1 deployed D1", "2 uninstalling D2"), [UNINSTALL], "Provisioning", "InterruptedUninstall",
    ),
    "two deployed": (
        desired(), observed("1 superseded D1", "2 deployed D1", "3 deployed D2", **SERVING),
        [rollback(3, "TwoDeployed")], "RollingBack", "TwoDeployed",
    ),
    "two deployed and a pending one": (
        desired(), observed("2 deployed D1", "3 deployed D2", "4 pending-upgrade D2"),
        [rollback(3, "TwoDeployed")], "RollingBack", "TwoDeployed",
    ),
    # Failures
    "a failed upgrade goes back once": (
        desired(), observed("1 deployed D1", "2 failed D2", attempt=failing()),
        [rollback(1, "UpgradeFailed")], "RollingBack", "UpgradeFailed",
    ),
    "a failed upgrade goes back even if nobody wrote down the failure": (
        desired(), observed("1 deployed D1", "2 failed D2"), [rollback(1, "UpgradeFailed")], "RollingBack",
        "UpgradeFailed",
    ),
    "rolled back, waiting": (
        desired(), observed("1 superseded D1", "2 failed D2", "3 deployed D1", attempt=failing(), **SERVING),
        [], "Failed", "UpgradeFailed",
    ),
    "rolled back, waiting, objects gone": (
        desired(), observed("3 deployed D1", attempt=failing(), missing=(config_map("a"),)),
        ["apply again from the deployed manifest: ConfigMap acme-gateway/a"], "Failed", "UpgradeFailed",
    ),
    "rolled back, time has come": (
        desired(), observed("2 failed D2", "3 deployed D1", attempt=failing(seconds=0)),
        [upgrade(3)], "Upgrading", "Upgrading",
    ),
    "rolled back, told to wait for longer than anybody waits": (
        desired(), observed("2 failed D2", "3 deployed D1", attempt=failing(seconds=BACK_OFF_SECONDS_MAX + 1)),
        [upgrade(3)], "Upgrading", "Upgrading",
    ),
    "rolled back, spec changed": (
        desired("D3"), observed("2 failed D2", "3 deployed D1", attempt=failing()),
        [upgrade(3, "D3")], "Upgrading", "Upgrading",
    ),
    "failed, spec changed before the rollback": (
        desired("D3"), observed("1 deployed D1", "2 failed D2", attempt=failing()),
        [upgrade(2, "D3")], "Upgrading", "Upgrading",
    ),
    "failed, spec changed back to what is deployed": (
        desired("D1"), observed("1 deployed D1", "2 failed D2", attempt=failing()),
        [upgrade(2, "D1")], "Upgrading", "Upgrading",
    ),
    "failed, spec changed to one that also failed lately": (
        desired("D3"), observed("1 deployed D1", "2 failed D2", attempt=failing("D3")),
        [rollback(1, "UpgradeFailed")], "RollingBack", "UpgradeFailed",
    ),
    "the rollback failed too": (
        desired(), observed("1 deployed D1", "2 superseded D2", "3 failed D1", attempt=failing()),
        [], "Failed", "UpgradeFailed",
    ),
    "the rollback failed too, time has come": (
        desired(), observed("1 deployed D1", "2 superseded D2", "3 failed D1", attempt=failing(seconds=0)),
        [upgrade(3)], "Upgrading", "Upgrading",
    ),
    "a failed upgrade, nothing deployed any more": (
        desired(), observed("1 superseded D1", "2 superseded D2", "3 failed D1", "4 failed D2", attempt=failing()),
        [rollback(1, "UpgradeFailed")], "RollingBack", "UpgradeFailed",
    ),
    "the rollback failed too, nothing deployed any more": (
        desired(), observed("1 superseded D1", "2 superseded D2", "3 failed D1", attempt=failing()),
        [], "Failed", "InstallFailed",
    ),
    "the first install failed": (
        desired(), observed("1 failed D2", attempt=failing()), [], "Failed", "InstallFailed",
    ),
    "the first install failed, time has come": (
        desired(), observed("1 failed D2", attempt=failing(seconds=0)), [upgrade(1)], "Provisioning", "Installing",
    ),
    "the first install failed without a trace": (desired(), observed(attempt=failing()), [], "Failed", "InstallFailed"),
    # Nobody's, and removal (stage by stage in test_removal)
    "unmanaged": (None, Observed(), [], "Unmanaged", "Unmanaged"),
    "unmanaged with somebody's release": (
        None, observed("1 deployed", has_finalizer=False), [], "Unmanaged", "Unmanaged",
    ),
    "removed": (None, observed("1 deployed D2", is_removed=True), [], "Removing", "Withdrawing"),
    "the release part was taken out": (
        None, observed("1 deployed D2", is_withdrawn=True), [UNINSTALL], "Removing", "Uninstalling",
    ),
    "added again, the old one still there": (
        desired(), observed("1 deployed D1", is_removed=True, is_withdrawn=True),
        [UNINSTALL], "Removing", "WaitingForRemoval",
    ),
    "added again, all gone": (
        desired(), Observed(is_removed=True, has_finalizer=True), [DROP], "Removing", "WaitingForRemoval",
    ),
    "added again, all gone, nothing holds it": (
        desired(), Observed(is_removed=True), [], "Removing", "WaitingForRemoval",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "there", "actions", "phase", "reason"), CASES.values(), ids=CASES.keys())
def test_golden(wanted: Desired | None, there: Observed, actions: list[str], phase: str, reason: str) -> None:
    made = plan(wanted, there, NOW)
    assert told(made) == (actions, phase, reason)
    assert made.message.endswith(".")
    waits = not actions and phase not in {"Ready", "Removed", "Unmanaged"}
    assert not waits or (made.next_at is not None and made.next_at > NOW), "who waits says until when"


@pytest.mark.parametrize("case", ["a foreign object", "a foreign namespace", "a foreign release"])
def test_a_refusal_names_what_is_in_the_way(case: str) -> None:
    message = plan(CASES[case][0], CASES[case][1], NOW).message
    assert any(name in message for name in ("ResourceQuota acme-gateway/acme", "Namespace acme", "release acme-"))


def test_waiting_says_why_which_and_when() -> None:
    there = observed("1 superseded D1", "2 failed D2", "3 deployed D1", attempt=failing(failures=4))
    made = plan(desired(), there, NOW)
    assert made.next_at == NOW + 30
    assert made.message == (
        "Helm says no. Revision 3 stays deployed. "
        "Try 5 comes at 1970-01-12T13:47:10Z, or as soon as the release changes."
    )


def test_back_off_doubles_and_is_capped() -> None:
    assert back_off_seconds(0, 0.5) == 0
    most = [back_off_seconds(failures, 1.0) for failures in range(1, 9)]
    assert most == [10, 20, 40, 80, 160, 320, 600, 600]
    assert [back_off_seconds(failures, 0.0) for failures in range(1, 9)] == [each / 2 for each in most]


@given(failures=st.integers(1, 10**9), jitter=st.floats(0, 1, exclude_max=True))
def test_back_off_stays_within_its_limits(failures: int, jitter: float) -> None:
    assert BACK_OFF_SECONDS_MIN / 2 <= back_off_seconds(failures, jitter) <= BACK_OFF_SECONDS_MAX


STATUSES = [
    "deployed", "superseded", "failed", "uninstalling", "uninstalled", "unknown",
    "pending-install", "pending-upgrade", "pending-rollback",
]  # fmt: skip
HISTORIES = st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(["D1", "D2", "D3"])), max_size=6)
FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("is_withdrawn", "is_removed", "has_finalizer")})


@given(
    history=HISTORIES,
    flags=FLAGS,
    rollout=st.builds(Rollout, is_serving=st.booleans(), is_complete=st.booleans(), stalled=st.sampled_from(["", "x"])),
    wanted=st.sampled_from([None, "D1", "D2"]),
    attempt=st.sampled_from(["D1", "D2"]),
)
def test_whatever_is_there(
    history: list[tuple[str, str]], flags: dict[str, Any], rollout: Rollout, wanted: str | None, attempt: str
) -> None:
    texts = [f"{number} {status} {digest}" for number, (status, digest) in enumerate(history, 1)]
    there = observed(*texts, attempt=failing(attempt), rollout=rollout, **flags)
    made = plan(None if wanted is None else desired(wanted), there, NOW)
    helm = [each for each in made.actions if type(each).__name__.endswith("Release")]
    assert len(helm) <= 1, "one operation on a release at a time"
    assert not (helm and wanted is None and not there.is_withdrawn)
    assert made.actions or made.next_at is not None or made.phase in {"Ready", "Removed", "Unmanaged"}
