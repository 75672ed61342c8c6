"""What a tenant wants × what there is → what to do now, in order, and what to say about it.

Definitions and objects go first (namespace, quota, policies, rights), the release after them: a gateway never starts
outside its fences. Whatever isn't ours is never written to; one such object stops the whole plan before its first
write.
"""

from __future__ import annotations

import msgspec

from entryproxy.provision.actions import (
    Action,
    ApplyObject,
    CreateDefinition,
    DeleteNamespace,
    DeleteObject,
    EnsureFinalizer,
    Plan,
    UninstallRelease,
    reference_of,
)
from entryproxy.provision.removal import plan_removal
from entryproxy.provision.revisions import BACK_OFF_SECONDS_MAX, POLL_SECONDS, is_foreign, plan_release
from entryproxy.provision.state import Desired, ObjectState, Observed, Reference

__all__ = ["BACK_OFF_SECONDS_MAX", "BACK_OFF_SECONDS_MIN", "Plan", "back_off_seconds", "plan"]

BACK_OFF_SECONDS_MIN = 10.0
"""The longest wait after the first failure."""


def plan(desired: Desired | None, observed: Observed, now: float) -> Plan:
    """The next round. now: Unix seconds.

    desired: None when nothing of the tenant is wanted any more: what we made is taken away. A document that can't be
    read, or that says hands off, is not None: whoever has one doesn't plan.
    """
    if observed.is_removed or (desired is None and observed.has_finalizer):
        removal = plan_removal(observed, now)
        return removal if desired is None else _added_again(removal, now)
    if desired is None:
        return Plan(phase="Unmanaged", reason="Unmanaged", message="The tenant's gateway is run by somebody else.")
    return (
        _refusal(desired, observed, now)
        or _wait_for_removal(desired, observed, now)
        or _move(desired, observed, now)
        or _rollout(desired, observed, now)
    )


def back_off_seconds(failures: int, jitter: float) -> float:
    """How long to wait after so many failures in a row: doubled each time, capped, its second half left to chance, so
    that tenants that failed together don't come again together. jitter: uniform in [0, 1)."""
    if failures < 1:
        return 0.0
    doublings = min(failures - 1, 32)
    return min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_MIN * 2.0**doublings) * (1 + jitter) / 2


def _added_again(removal: Plan, now: float) -> Plan:
    """The same tenant is wanted again before the old one is gone: that goes on first."""
    if removal.phase == "Removed" and not removal.actions:
        message = "What was removed is gone: the tenant is installed anew in the next round."
    else:
        message = f"The tenant is installed anew when the removed one is gone. {removal.message}"
    return msgspec.structs.replace(
        removal, phase="Removing", reason="WaitingForRemoval", message=message, next_at=now + POLL_SECONDS
    )


def _refusal(desired: Desired, observed: Observed, now: float) -> Plan | None:
    """What must not be written to, or can't be."""
    present = _present(observed)
    wanted = [reference_of(manifest) for manifest in desired.objects]
    foreign = [str(each) for each in wanted if each in present and not present[each].is_ours]
    if is_foreign(observed.revisions):
        foreign.append(f"release {desired.release.namespace}/{desired.release.name}")
    if foreign:
        message = f"gateway.namespace: not made by us for this tenant, so nothing is written: {', '.join(foreign)}."
        return Plan(phase="Failed", reason="NotOurs", message=message, next_at=now + BACK_OFF_SECONDS_MAX)
    if observed.namespace is None and not any(each.kind == "Namespace" for each in wanted):
        message = f"gateway.namespace: {desired.namespace} doesn't exist, and isn't ours to make."
        return Plan(phase="Failed", reason="NamespaceMissing", message=message, next_at=now + BACK_OFF_SECONDS_MIN)
    return None


def _wait_for_removal(desired: Desired, observed: Observed, now: float) -> Plan | None:
    """Nothing can be created in a namespace that is being deleted; what is applied to such an object goes with it."""
    present = _present(observed)
    relevant = [observed.namespace] if observed.namespace is not None else []
    relevant += [present[each] for each in map(reference_of, desired.objects) if each in present]
    going = sorted({str(each.reference) for each in relevant if each.is_deleting})
    if not going:
        return None
    message = f"Being deleted, and made anew when gone: {', '.join(going)}."
    return Plan(phase="Provisioning", reason="WaitingForRemoval", message=message, next_at=now + POLL_SECONDS)


def _move(desired: Desired, observed: Observed, now: float) -> Plan | None:
    """A release can't change its namespace, and two of one tenant would claim one IngressClass."""
    there, wanted = observed.release_namespace, desired.release.namespace
    if not observed.revisions or not there or there == wanted:
        return None
    message = f"The release moves from namespace {there} to {wanted}: it is uninstalled there first."
    uninstall = UninstallRelease(observed.release_name, there)
    return Plan(
        actions=(uninstall,), phase="Provisioning", reason="Moving", message=message, next_at=now + POLL_SECONDS
    )


def _rollout(desired: Desired, observed: Observed, now: float) -> Plan:
    release = plan_release(desired.release, observed, now)
    finalizer = () if observed.has_finalizer else (EnsureFinalizer(),)
    definitions = tuple(
        CreateDefinition(one) for one in desired.definitions if one["metadata"]["name"] not in observed.definitions
    )
    objects = _object_actions(desired, observed)
    if objects and release.phase == "Ready":
        message = f"{len(objects)} objects of ours are applied or deleted. {release.message}"
        release = msgspec.structs.replace(release, reason="Repairing", message=message)
    return msgspec.structs.replace(release, actions=(*finalizer, *definitions, *objects, *release.actions))


def _object_actions(desired: Desired, observed: Observed) -> tuple[Action, ...]:
    """What differs is applied, in the order of `desired`; then what isn't wanted any more goes, a namespace that the
    tenant has left with all that is in it, unless somebody else has a release there."""
    present = _present(observed)
    applied: list[Action] = []
    wanted: set[Reference] = set()
    for manifest in desired.objects:
        action, reference = ApplyObject(manifest), reference_of(manifest)
        wanted.add(reference)
        state = present.get(reference)
        if state is None or state.is_changed or state.digest != action.digest:
            applied.append(action)
    unwanted = [
        reference
        for reference, state in present.items()
        if state.is_ours and not state.is_deleting and reference not in wanted
        if not (reference.kind == "Namespace" and reference.name in (desired.namespace, *observed.inhabited))
    ]
    left = {reference.name for reference in unwanted if reference.kind == "Namespace"}
    dropped = (
        DeleteNamespace(reference.name) if reference.kind == "Namespace" else DeleteObject(reference)
        for reference in unwanted
        if reference.namespace not in left
    )
    return (*applied, *dropped)


def _present(observed: Observed) -> dict[Reference, ObjectState]:
    namespace = (observed.namespace,) if observed.namespace is not None else ()
    return {state.reference: state for state in (*observed.objects, *namespace)}
