"""What is told of a tenant after a round: its last status × the plan × what came of that → its status.

What doesn't change between two rounds is told in the same words, so that nothing has to be written.
"""

from __future__ import annotations

import msgspec

from entryproxy.model.status import Attempt, Phase, TenantStatus
from entryproxy.model.times import rfc3339
from entryproxy.provision.actions import Action, InstallRelease, Plan
from entryproxy.provision.conditions import MESSAGE_LENGTH_MAX, conditions
from entryproxy.provision.plan import back_off_seconds
from entryproxy.provision.revisions import is_foreign
from entryproxy.provision.state import Desired, Observed, Revision

_REASON_LENGTH_MAX = 64
_REMOVING: frozenset[Phase] = frozenset({"Removing", "Removed"})


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of carrying out a plan.

    done: in order; failed: the action that ended the round, None when all were carried out.

    reason: CamelCase; error: a sentence without secrets. is_release_failure: Helm could not make of the release what is
    wanted, so that trying the same at once is of no use. is_lost: somebody else is at it, or the cluster can't be
    reached: nothing is known of the release.
    """

    done: tuple[Action, ...] = ()
    failed: Action | None = None
    reason: str = ""
    error: str = ""
    is_release_failure: bool = False
    is_lost: bool = False


def status_of(
    plan: Plan,
    desired: Desired | None,
    observed: Observed,
    outcome: Outcome,
    previous: TenantStatus | None,
    now: float,
    *,
    jitter: float,
    retry_at: float | None = None,
) -> TenantStatus:
    """The status after `plan` came to `outcome`.

    observed: what the plan was made from. previous: None for none. now, retry_at: Unix seconds; retry_at: when the next
    round comes after a failure that isn't the release's. jitter: uniform in [0, 1).
    """
    before = previous or TenantStatus(phase="Provisioning")
    attempt = _attempt(plan, desired, observed, outcome, before.attempt, now, jitter)
    told = _told(plan, outcome, attempt, retry_at)
    deployed = _deployed(observed)
    return TenantStatus(
        phase=told.phase,
        reason=told.reason,
        message=told.message,
        namespace=observed.release_namespace or (desired.namespace if desired is not None else before.namespace),
        chart_version=_chart_version(desired, deployed, before),
        revision=deployed.number if deployed is not None else 0,
        next_retry=_next_retry(told, outcome, attempt, before, now),
        has_served=_has_served(plan, observed, before),
        conditions=conditions(told, observed, now, before.conditions),
        attempt=attempt,
    )


def _attempt(
    plan: Plan,
    desired: Desired | None,
    observed: Observed,
    outcome: Outcome,
    before: Attempt,
    now: float,
    jitter: float,
) -> Attempt:
    """A roll-back that succeeds forgets nothing: the upgrade that failed would follow it, and so on for ever."""
    if desired is None or plan.phase in _REMOVING:
        return Attempt() if plan.phase == "Removed" else before
    digest = desired.release.digest
    if outcome.is_release_failure or plan.is_failure:
        failures = before.failures + 1 if before.digest == digest else 1
        not_before = now + back_off_seconds(failures, jitter)
        message = _cut(outcome.error or plan.message)
        return Attempt(digest=digest, failures=failures, not_before=not_before, message=message)
    highest = max(observed.revisions, key=lambda revision: revision.number, default=None)
    is_deployed = highest is not None and highest.status == "deployed" and highest.digest == digest
    return Attempt() if is_deployed and _has_come_up(observed) else before


def _has_come_up(observed: Observed) -> bool:
    """Helm calls deployed what the API server has taken; whether it works its pods show later."""
    return observed.rollout.is_serving and observed.rollout.is_complete


def _told(plan: Plan, outcome: Outcome, attempt: Attempt, retry_at: float | None) -> Plan:
    """The plan as it went: whose words count when an action failed. Removal goes on whatever happens, and nothing can
    be said of what is lost."""
    if outcome.failed is None:
        return msgspec.structs.replace(plan, message=_cut(plan.message))
    is_kept = plan.phase in _REMOVING or outcome.is_lost
    next_at = attempt.not_before if outcome.is_release_failure and not is_kept else retry_at
    return msgspec.structs.replace(
        plan,
        phase="Removing" if plan.phase == "Removed" else plan.phase if is_kept else "Failed",
        reason=outcome.reason[:_REASON_LENGTH_MAX],
        message=_cut(outcome.error),
        next_at=next_at,
    )


def _next_retry(told: Plan, outcome: Outcome, attempt: Attempt, before: TenantStatus, now: float) -> str:
    """Only after failures: that something under way is looked at every few seconds is nobody's business. A refusal
    counts its time from each round anew; what has been promised stands until it is over."""
    if told.next_at is None or (told.phase != "Failed" and outcome.failed is None):
        return ""
    is_same = (before.phase, before.reason, before.message) == (told.phase, told.reason, told.message)
    is_promised = is_same and told.next_at != attempt.not_before and before.next_retry > rfc3339(now)
    return before.next_retry if is_promised else rfc3339(told.next_at)


def _has_served(plan: Plan, observed: Observed, before: TenantStatus) -> bool:
    is_new = any(isinstance(action, InstallRelease) for action in plan.actions)
    if plan.phase in _REMOVING or is_new:
        return False
    return before.has_served or observed.is_gateway_ready


def _deployed(observed: Observed) -> Revision | None:
    """None as well while the release is somebody else's."""
    if is_foreign(observed.revisions):
        return None
    deployed = (revision for revision in observed.revisions if revision.status == "deployed")
    return max(deployed, key=lambda revision: revision.number, default=None)


def _chart_version(desired: Desired | None, deployed: Revision | None, before: TenantStatus) -> str:
    """Of what is deployed, which may be an older release than the wanted one."""
    if deployed is None:
        return ""
    is_wanted = desired is not None and deployed.digest == desired.release.digest
    return desired.release.version if desired is not None and is_wanted else before.chart_version


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH_MAX else message[: MESSAGE_LENGTH_MAX - 1] + "…"
