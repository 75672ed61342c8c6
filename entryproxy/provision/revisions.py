"""From the revisions of a release to the one thing that Helm has to do next, or to nothing.

Only the highest revision says how things stand; Helm refuses to go on while it is pending. `superseded` doesn't prove
that a revision ever worked: Helm marks the failed revision below a failed rollback with it too. A rollback carries the
digest of its target. Hence three rules:

- A rollback goes to the last `deployed` revision, else to the highest superseded one whose digest isn't known to fail.
- A failed revision with the digest of what a rollback would return to is a rollback that failed: it isn't tried again,
  the next try is an upgrade.
- A digest that failed waits for its time; any other is tried at once.
"""

from __future__ import annotations

import msgspec

from entryproxy.model.status import Attempt
from entryproxy.model.times import rfc3339
from entryproxy.provision.actions import (
    InstallRelease,
    Plan,
    RepairObjects,
    RollbackRelease,
    UninstallRelease,
    UpgradeRelease,
)
from entryproxy.provision.state import DesiredRelease, Observed, Revision

POLL_SECONDS = 2.0
"""How long to wait for something that nobody tells us of, such as a namespace's end."""
BACK_OFF_SECONDS_MAX = 600.0
"""The longest wait of all: a person who has mended something elsewhere waits no longer."""

_Revisions = tuple[Revision, ...]


def plan_release(release: DesiredRelease, observed: Observed, now: float) -> Plan:
    """At most one action on the release. now: Unix seconds."""
    revisions = tuple(sorted(observed.revisions, key=lambda revision: revision.number))
    if not revisions or revisions[-1].status == "uninstalled":
        return _install(release, observed.attempt, now)
    match revisions[-1].status:
        case "pending-install" | "uninstalling":
            return _start_over(release, revisions[-1])
        case _ if len(_deployed(revisions)) > 1:
            return _one_deployed(release, revisions)
        case "pending-upgrade" | "pending-rollback":
            return _recover(release, revisions, observed.attempt)
        case "failed":
            return _after_failure(release, revisions, observed, now)
        case "deployed" if revisions[-1].digest == release.digest:
            return _keep(release, revisions, observed, now)
        case _:
            return _upgrade(release, revisions, observed, now)


def is_foreign(revisions: tuple[Revision, ...]) -> bool:
    """Whether somebody else made the release: Helm hands our digest on from revision to revision."""
    return bool(revisions) and not any(revision.digest for revision in revisions)


def _install(release: DesiredRelease, attempt: Attempt, now: float) -> Plan:
    if _must_wait(release, attempt, now):
        return _waiting(attempt, "InstallFailed", "No revision is deployed.")
    message = f"Release {release.name} is being installed."
    return Plan(actions=(InstallRelease(release),), phase="Provisioning", reason="Installing", message=message)


def _start_over(release: DesiredRelease, highest: Revision) -> Plan:
    """Nothing to return to: the next round installs."""
    return Plan(
        actions=(UninstallRelease(release.name, release.namespace),),
        phase="Provisioning",
        reason="InterruptedUninstall" if highest.status == "uninstalling" else "InterruptedInstall",
        message=f"Revision {highest.number} was left {highest.status}: it is uninstalled, then installed anew.",
    )


def _one_deployed(release: DesiredRelease, revisions: _Revisions) -> Plan:
    """A rollback supersedes every deployed revision; an upgrade only one."""
    numbers = [revision.number for revision in _deployed(revisions)]
    message = f"Revisions {', '.join(map(str, numbers))} are all deployed: {numbers[-1]} is made the only one."
    return _rollback(release, numbers[-1], "TwoDeployed", message)


def _recover(release: DesiredRelease, revisions: _Revisions, attempt: Attempt) -> Plan:
    """Somebody was stopped midway, and nobody works on it any more."""
    highest = revisions[-1]
    target = _last_good(revisions, attempt)
    if target is None:
        # Going forward to what was never finished takes nothing from anybody, unless it is known to fail.
        target = None if _is_bad(highest, attempt) else highest
    if target is None:
        return _start_over(release, highest)
    message = f"Revision {highest.number} was left {highest.status}: back to revision {target.number}."
    reason = "InterruptedUpgrade" if highest.status == "pending-upgrade" else "InterruptedRollback"
    return _rollback(release, target.number, reason, message)


def _after_failure(release: DesiredRelease, revisions: _Revisions, observed: Observed, now: float) -> Plan:
    highest, attempt = revisions[-1], observed.attempt
    good = _last_good(revisions, attempt)
    is_known = highest.digest == release.digest or _has_failed(release, attempt)
    if good is not None and is_known and good.digest not in (highest.digest, release.digest):
        message = f"Revision {highest.number} failed: back to revision {good.number}. {attempt.message}".rstrip()
        return _rollback(release, good.number, "UpgradeFailed", message)
    return _upgrade(release, revisions, observed, now)


def _keep(release: DesiredRelease, revisions: _Revisions, observed: Observed, now: float) -> Plan:
    """No Helm: what is deployed is what is wanted, unless its pods don't come up."""
    highest, rollout = revisions[-1], observed.rollout
    stalled = _stalled(release, revisions, observed, now) if rollout.stalled else None
    if stalled is not None and (stalled.actions or not observed.missing):
        return stalled
    if observed.missing:
        return Plan(
            actions=(RepairObjects(observed.missing),),
            phase="Ready" if observed.is_gateway_ready else "Provisioning",
            reason="Repairing",
            message=f"Objects of revision {highest.number} were deleted or changed: they are applied again.",
        )
    if not observed.is_gateway_ready:
        message = f"Revision {highest.number} is deployed; its gateway isn't available yet."
        return Plan(phase="Provisioning", reason="GatewayNotReady", message=message, next_at=_soon(now, highest))
    if not rollout.is_complete:
        message = f"Revision {highest.number} is deployed; its pods take the place of the older ones."
        return Plan(phase="Upgrading", reason="RollingOut", message=message, next_at=_soon(now, highest))
    return Plan(phase="Ready", reason="Ready", message=f"Revision {highest.number} is deployed and serves.")


def _soon(now: float, revision: Revision) -> float:
    """When to look again for pods that come up: often at first, and of hundreds of tenants at once not all the time."""
    waited = (now - revision.created) / 5
    return now + min(max(waited, 1.0), 10.0)


def _stalled(release: DesiredRelease, revisions: _Revisions, observed: Observed, now: float) -> Plan:
    """Helm doesn't wait for pods, so that they don't come up is found out here. Where none of an older revision are
    left it isn't the upgrade's fault, as when a node is gone, and going back would bring nothing back. Where there is
    nothing to do, regular looks see soon enough when the cluster has got there by itself."""
    highest = revisions[-1]
    look = f"Look at them: kubectl --namespace {release.namespace} describe pods."
    if observed.rollout.is_complete:
        message = f"No pod of revision {highest.number}'s gateway is available. {observed.rollout.stalled}. {look}"
        return Plan(phase="Failed", reason="GatewayUnavailable", message=message, next_at=now + BACK_OFF_SECONDS_MAX)
    older = [each for each in revisions[:-1] if each.status == "superseded" and each.digest != highest.digest]
    good = [each for each in older if each.digest and not _is_bad(each, observed.attempt)]
    why = f"The pods of revision {highest.number} don't come up. {observed.rollout.stalled}."
    if not good:
        return Plan(phase="Failed", reason="RolloutFailed", message=f"{why} {look}", next_at=now + BACK_OFF_SECONDS_MAX)
    message = f"{why} Back to revision {good[-1].number}."
    back = _rollback(release, good[-1].number, "RolloutFailed", message)
    return msgspec.structs.replace(back, is_failure=True)


def _upgrade(release: DesiredRelease, revisions: _Revisions, observed: Observed, now: float) -> Plan:
    highest, deployed = revisions[-1], _deployed(revisions)
    if _must_wait(release, observed.attempt, now):
        serves = f"Revision {deployed[-1].number} stays deployed." if deployed else "No revision is deployed."
        reason = "UpgradeFailed" if deployed else "InstallFailed"
        # Who waits must not lose what serves meanwhile; while a failed revision is the highest, an upgrade mends it.
        is_kept = highest.status == "deployed" and observed.missing
        return _waiting(observed.attempt, reason, serves, (RepairObjects(observed.missing),) if is_kept else ())
    return Plan(
        actions=(UpgradeRelease(release, highest.number),),
        phase="Upgrading" if deployed else "Provisioning",
        reason="Upgrading" if deployed else "Installing",
        message=f"Release {release.name} is being upgraded from revision {highest.number}.",
    )


def _waiting(attempt: Attempt, reason: str, serves: str, actions: tuple[RepairObjects, ...] = ()) -> Plan:
    why = attempt.message or "The last operation failed."
    again = f"Try {attempt.failures + 1} comes at {rfc3339(attempt.not_before)}, or as soon as the release changes."
    message = f"{why} {serves} {again}"
    return Plan(actions=actions, phase="Failed", reason=reason, message=message, next_at=attempt.not_before)


def _rollback(release: DesiredRelease, to_revision: int, reason: str, message: str) -> Plan:
    action = RollbackRelease(release.name, release.namespace, to_revision, reason, release.gateway)
    return Plan(actions=(action,), phase="RollingBack", reason=reason, message=message)


def _has_failed(release: DesiredRelease, attempt: Attempt) -> bool:
    return attempt.failures > 0 and attempt.digest == release.digest


def _must_wait(release: DesiredRelease, attempt: Attempt, now: float) -> bool:
    """No longer than is ever waited: a later time was told by another clock, or by whoever wrote the status."""
    return _has_failed(release, attempt) and now < attempt.not_before <= now + BACK_OFF_SECONDS_MAX


def _deployed(revisions: _Revisions) -> _Revisions:
    return tuple(revision for revision in revisions if revision.status == "deployed")


def _last_good(revisions: _Revisions, attempt: Attempt) -> Revision | None:
    """What to return to."""
    deployed = _deployed(revisions)
    if deployed:
        return deployed[-1]
    superseded = [each for each in revisions if each.status == "superseded" and not _is_bad(each, attempt)]
    return superseded[-1] if superseded else None


def _is_bad(revision: Revision, attempt: Attempt) -> bool:
    return attempt.failures > 0 and revision.digest == attempt.digest
