"""One look at one tenant: what is wanted × what there is → a plan, carried out and told."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Mapping

import msgspec

from entryproxy.controller.design import Designer, Refused, controller_name_of, gateway_name_of
from entryproxy.controller.execute import Context, Executor
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.holders import Holder, list_holders
from entryproxy.controller.metadata import list_metadata
from entryproxy.controller.observe import Observer, Target
from entryproxy.controller.pacing import Pacing
from entryproxy.controller.situation import Situation, situation
from entryproxy.controller.statuses import clear_status, write_status
from entryproxy.controller.storyteller import Storyteller
from entryproxy.controller.tenants import Wanted
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.paths import collection_path
from entryproxy.model.objects import CONFIG_MAP, STATUS_ANNOTATION
from entryproxy.model.status import Attempt, TenantStatus, decode_status
from entryproxy.provision.actions import DropFinalizer, InstallRelease, Plan, UpgradeRelease
from entryproxy.provision.plan import BACK_OFF_SECONDS_MIN, plan
from entryproxy.provision.state import Desired, Observed
from entryproxy.provision.statuses import Outcome, status_of
from entryproxy.settings import ControllerSettings

_log = logging.getLogger(__name__)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at a tenant came to. about: the ConfigMap that its status is told on, None for none. observed: what
    the plan was made from. previous: the status that was told last."""

    plan: Plan
    situation: Situation
    about: Wanted | Holder | None = None
    desired: Desired | None = None
    observed: Observed = Observed()
    previous: TenantStatus | None = None


class Reconciler:
    """Does one round for one tenant; never two at a time for the same one, which is the caller's promise.

    tenants: those in force, by id; the caller keeps it up to date.
    """

    def __init__(
        self,
        client: ClusterClient,
        settings: ControllerSettings,
        tenants: Mapping[str, Wanted],
        *,
        designer: Designer,
        observer: Observer,
        executor: Executor,
        storyteller: Storyteller,
    ) -> None:
        self._client = client
        self._settings = settings
        self._tenants = tenants
        self._designer = designer
        self._observer = observer
        self._executor = executor
        self._storyteller = storyteller
        self._pacing = Pacing(settings.resync_seconds)
        self._going_since: dict[str, float] = {}  # for ConfigMaps that aren't deleted: when it was first seen

    async def reconcile(self, tenant: str) -> float:
        """In how many seconds to look again though nothing has changed, infinite for never."""
        now = time.time()
        try:
            one = await self.decide(tenant, now)
            if one.situation.kind in ("none", "hold"):
                await self._let_be(tenant, one)
                return self._pacing.regular() if one.situation.kind == "hold" else math.inf
            delay = await self._carry_out(tenant, one, now)
        except (ApiError, HelmError, OSError) as error:
            _log.warning("tenant %s: %s", tenant, error)
            self._storyteller.count_failure()
            return self._pacing.after_failure(tenant)
        return delay

    async def _carry_out(self, tenant: str, one: Round, now: float) -> float:
        """What is going to be done is told before, how it failed afterwards; how it went the next round sees."""
        if one.plan.actions:
            one = await self._tell(tenant, one, Outcome(), now, now)
        outcome = await self._executor.execute(one.plan, _context(tenant, one))
        self._storyteller.count(outcome)
        delay = self._pacing.after(tenant, one.plan, outcome, now)
        if any(isinstance(action, DropFinalizer) for action in outcome.done):
            self._forget(tenant, one)
        elif outcome.failed is not None or not one.plan.actions:
            await self._tell(tenant, one, outcome, now + delay, now)
        return delay

    async def decide(self, tenant: str, now: float) -> Round:
        """What a round would do. Writes nothing. Raises ApiError, HelmError."""
        wanted = self._tenants.get(tenant)
        holders = (await list_holders(self._client, self._settings.namespace, tenant)).get(tenant, ())
        case = situation(wanted, holders)
        if case.kind in ("none", "hold"):
            message = "Nothing is provisioned." if case.kind == "none" else "A ConfigMap that isn't in force holds it."
            return Round(plan=Plan(phase="Unmanaged", reason="Unmanaged", message=message), situation=case)
        if case.kind == "hand_over":
            message = "release.enabled is false: the gateway stays as it is, and is somebody else's from now on."
            plan_ = Plan(actions=(DropFinalizer(),), phase="Unmanaged", reason="HandedOver", message=message)
            return Round(plan=plan_, situation=case, about=case.going[0])
        about = case.going[0] if case.kind == "remove" else wanted
        assert about is not None
        previous = decode_status(await self._status_text(about, holders))
        if case.kind == "remove":
            observed = await self._observe(tenant, case, holders, previous, now)
            return Round(
                plan=plan(None, observed, now), situation=case, about=about, observed=observed, previous=previous
            )
        assert wanted is not None
        return await self._decide_wanted(wanted, case, holders, previous, now)

    async def _decide_wanted(
        self,
        wanted: Wanted,
        case: Situation,
        holders: tuple[Holder, ...],
        previous: TenantStatus | None,
        now: float,
    ) -> Round:
        """A tenant that wants a release, whether or not another of its name has to go first."""
        desired: Desired | None = None
        try:
            desired, remarks = await self._designer.design(wanted, self._tenants)
            observed = await self._observe(wanted.tenant, case, holders, previous, now, wanted, desired)
            made = plan(desired, observed, now)
            if any(isinstance(action, InstallRelease | UpgradeRelease) for action in made.actions):
                await self._designer.check_neighbours(desired, self._tenants)
            await self._storyteller.remark(wanted, remarks)
        except Refused as refusal:
            observed = await self._observe(wanted.tenant, case, holders, previous, now, wanted, desired)
            made = _refusal(refusal, plan(None, observed, now) if case.kind == "replace" else None, now)
        return Round(plan=made, situation=case, about=wanted, desired=desired, observed=observed, previous=previous)

    async def _observe(
        self,
        tenant: str,
        case: Situation,
        holders: tuple[Holder, ...],
        previous: TenantStatus | None,
        now: float,
        wanted: Wanted | None = None,
        desired: Desired | None = None,
    ) -> Observed:
        is_removed = case.kind in ("remove", "replace")
        told = previous or next((status for one in holders if (status := decode_status(one.status))), None)
        return await self._observer.observe(
            Target(
                tenant=tenant,
                desired=desired,
                holders=holders,
                wanted_source=wanted.source if wanted is not None else "",
                last_namespace=told.namespace if told is not None else "",
                attempt=previous.attempt if previous is not None else Attempt(),
                gateway_name=gateway_name_of(wanted) if wanted is not None else "",
                controller_name=controller_name_of(wanted) if wanted is not None else "",
                is_removed=is_removed,
                is_withdrawn=is_removed and self._is_withdrawn(case, now),
            )
        )

    async def _status_text(self, about: Wanted | Holder, holders: tuple[Holder, ...]) -> str:
        """What was told last on this ConfigMap; one that is refused has no finalizer of ours."""
        for one in holders:
            if one.uid == about.uid:
                return one.status
        path = collection_path("v1", CONFIG_MAP, about.namespace)
        found = await list_metadata(self._client, path, name=about.name)
        return found[0].annotations.get(STATUS_ANNOTATION, "") if found else ""

    def _is_withdrawn(self, case: Situation, now: float) -> bool:
        """Whether every entry has had time to stop serving the tenant and to drain."""
        since = max(one.deleted_at or self._going_since.setdefault(one.uid, now) for one in case.going)
        return now >= since + self._settings.withdraw_seconds

    async def _tell(self, tenant: str, one: Round, outcome: Outcome, retry_at: float, now: float) -> Round:
        """The status on the ConfigMap, the Events, the metrics. The round, with the status that stands there now."""
        about = one.about
        assert about is not None
        status = status_of(
            one.plan,
            one.desired,
            one.observed,
            outcome,
            one.previous,
            now,
            jitter=random.random(),  # noqa: S311 - nothing to guess
            retry_at=retry_at,
        )
        if isinstance(about, Wanted):
            status = msgspec.structs.replace(status, document=about.document)
        await write_status(self._client, about.namespace, about.name, about.uid, status, one.previous)
        await self._storyteller.tell(tenant, about, status, has_failed=outcome.failed is not None)
        return msgspec.structs.replace(one, previous=status)

    async def _let_be(self, tenant: str, one: Round) -> None:
        """A tenant that no longer asks for a gateway shouldn't say for ever why it has none."""
        wanted = self._tenants.get(tenant)
        if self._forget(tenant, one) and wanted is not None and one.situation.kind == "none":
            await clear_status(self._client, wanted.namespace, wanted.name, wanted.uid)

    def _forget(self, tenant: str, one: Round) -> bool:
        """Nothing of it is ours any more, as far as this round could see; whether anything was told of it."""
        self._pacing.forget(tenant)
        for holder in one.situation.going:
            self._going_since.pop(holder.uid, None)
        self._observer.forget(tenant)
        return self._storyteller.forget(tenant)


def _context(tenant: str, one: Round) -> Context:
    desired, observed = one.desired, one.observed
    return Context(
        tenant=tenant,
        source=desired.source if desired is not None else "",
        uid=desired.uid if desired is not None else "",
        holders=one.situation.going,
        release_name=observed.release_name or tenant,
        release_namespace=observed.release_namespace or (desired.namespace if desired is not None else ""),
    )


def _refusal(refusal: Refused, removal: Plan | None, now: float) -> Plan:
    """Nothing of what is wanted is done. What has to go, goes on going."""
    next_at = now + BACK_OFF_SECONDS_MIN if refusal.is_transient else None
    if removal is not None:
        return msgspec.structs.replace(removal, reason=refusal.reason, message=refusal.message)
    return Plan(phase="Failed", reason=refusal.reason, message=refusal.message, next_at=next_at)
