"""The conditions of a tenant, after https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#Condition, as
`kubectl wait` and people read them.

    Ready        a gateway serves the tenant, be it a previous revision's
    Provisioned  what is deployed is what is wanted
    Progressing  something is being done, or waited for
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from entryproxy.model.status import Condition, ConditionType, Phase
from entryproxy.model.times import rfc3339
from entryproxy.provision.actions import Plan
from entryproxy.provision.state import Observed

MESSAGE_LENGTH_MAX = 1024
"""In characters. Kubernetes allows 32,768; three conditions of a tenant have to fit one annotation easily."""
_IN_PROGRESS: frozenset[Phase] = frozenset({"Provisioning", "Upgrading", "RollingBack", "Removing"})
_WITHOUT_GATEWAY: frozenset[Phase] = frozenset({"Removing", "Removed"})


def conditions(plan: Plan, observed: Observed, now: float, previous: Iterable[Condition] = ()) -> tuple[Condition, ...]:
    """All conditions, always in the same order; none for a tenant whose gateway isn't ours. now: Unix seconds.
    previous: what was told last time."""
    if plan.phase == "Unmanaged":
        return ()
    before = {condition.type: condition for condition in previous}
    is_starting = plan.reason == "GatewayNotReady"
    return (
        _ready(plan, observed, now, before.get("Ready")),
        _condition(
            "Provisioned",
            plan.phase == "Ready" or is_starting,
            "Deployed" if is_starting else plan.reason,
            plan.message,
            now,
            before.get("Provisioned"),
        ),
        _condition(
            "Progressing", plan.phase in _IN_PROGRESS, plan.reason, plan.message, now, before.get("Progressing")
        ),
    )


def _ready(plan: Plan, observed: Observed, now: float, before: Condition | None) -> Condition:
    deployed = [revision.number for revision in observed.revisions if revision.status == "deployed"]
    if not observed.is_gateway_ready or plan.phase in _WITHOUT_GATEWAY:
        return _condition("Ready", False, plan.reason, plan.message, now, before)
    which = f"of revision {max(deployed)} " if deployed else ""
    return _condition("Ready", True, "GatewayReady", f"The gateway {which}is available.", now, before)


def _condition(
    kind: ConditionType, is_true: bool, reason: str, message: str, now: float, before: Condition | None
) -> Condition:
    status: Literal["True", "False"] = "True" if is_true else "False"
    is_same = before is not None and before.status == status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message if len(message) <= MESSAGE_LENGTH_MAX else message[: MESSAGE_LENGTH_MAX - 1] + "…",
        last_transition_time=before.last_transition_time if before is not None and is_same else rfc3339(now),
    )
