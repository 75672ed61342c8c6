"""What one look at a tenant came to, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from entryproxy.controller.design import Refused
from entryproxy.controller.execute import Context
from entryproxy.controller.helm.charts import FAILURE_SECONDS
from entryproxy.controller.holders import Holder
from entryproxy.controller.situation import Situation
from entryproxy.controller.tenants import Wanted
from entryproxy.model.status import TenantStatus
from entryproxy.provision.actions import Plan
from entryproxy.provision.problems import Problem
from entryproxy.provision.state import Desired, Observed


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at a tenant came to. about: the ConfigMap that its status is told on, None for none. observed: what
    the plan was made from. previous: the status that was told last. remarks: what is worth knowing of `desired`."""

    plan: Plan
    situation: Situation
    about: Wanted | Holder | None = None
    desired: Desired | None = None
    observed: Observed = Observed()
    previous: TenantStatus | None = None
    remarks: Sequence[Problem] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant of which something is to be provisioned or removed. about: as in Round; holders: who carries our
    finalizer for it; is_withdrawn: as in Observed."""

    tenant: str
    situation: Situation
    about: Wanted | Holder
    holders: tuple[Holder, ...]
    is_withdrawn: bool
    previous: TenantStatus | None
    now: float


def let_alone(found: Situation, message: str, next_at: float | None = None) -> Round:
    """A round that does and tells nothing. next_at: as in Plan."""
    plan_ = Plan(phase="Unmanaged", reason="Unmanaged", message=message, next_at=next_at)
    return Round(plan=plan_, situation=found)


def round_of(
    case: Case, made: Plan, observed: Observed, desired: Desired | None = None, remarks: Sequence[Problem] = ()
) -> Round:
    """What a case came to."""
    return Round(
        plan=made,
        situation=case.situation,
        about=case.about,
        desired=desired,
        observed=observed,
        previous=case.previous,
        remarks=remarks,
    )


def context_of(tenant: str, one: Round) -> Context:
    """Whom its plan is for."""
    desired, observed = one.desired, one.observed
    return Context(
        tenant=tenant,
        source=desired.source if desired is not None else "",
        uid=desired.uid if desired is not None else "",
        holders=one.situation.going,
        release_name=observed.release_name or tenant,
        release_namespace=observed.release_namespace or (desired.namespace if desired is not None else ""),
    )


def refusal_plan(refusal: Refused, removal: Plan | None, now: float) -> Plan:
    """Nothing of what is wanted is done. What has to go, goes on going: removal is its plan, None for none. now: Unix
    seconds."""
    next_at = now + FAILURE_SECONDS if refusal.is_transient else None  # before that, the answer would be the same
    if removal is not None:
        return msgspec.structs.replace(removal, reason=refusal.reason, message=refusal.message)
    return Plan(phase="Failed", reason=refusal.reason, message=refusal.message, next_at=next_at)
