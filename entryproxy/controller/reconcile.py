"""One look at one tenant: what is wanted × what there is → a plan, carried out and told."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from entryproxy.controller.design import Designer, Refused, controller_name_of, gateway_name_of
from entryproxy.controller.execute import Executor
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.holders import Holder, list_holders
from entryproxy.controller.metadata import list_metadata
from entryproxy.controller.observe import Observer, Target
from entryproxy.controller.pacing import Pacing
from entryproxy.controller.rounds import Case, Round, context_of, let_alone, refusal_plan, round_of
from entryproxy.controller.situation import Situation, situation
from entryproxy.controller.statuses import clear_status, write_status
from entryproxy.controller.storyteller import Storyteller
from entryproxy.controller.tenants import Wanted
from entryproxy.controller.withdrawals import Withdrawals
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.paths import collection_path
from entryproxy.model.objects import CONFIG_MAP, PROVISIONED_LABEL, STATUS_ANNOTATION
from entryproxy.model.status import Attempt, decode_status
from entryproxy.provision.actions import DropFinalizer, InstallRelease, Plan, UninstallRelease, UpgradeRelease
from entryproxy.provision.inventory import ReleaseName
from entryproxy.provision.plan import plan
from entryproxy.provision.problems import Problem
from entryproxy.provision.revisions import POLL_SECONDS
from entryproxy.provision.state import Desired, Observed
from entryproxy.provision.statuses import Outcome, status_of
from entryproxy.settings import ControllerSettings

_log = logging.getLogger(__name__)


class Reconciler:
    """Does one round for one tenant; never two at a time for the same one, which is the caller's promise.

    tenants: those in force, by id; the caller keeps it up to date. on_uninstalled: what a release leaves behind in a
    shared namespace may be for the others to take.
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
        on_uninstalled: Callable[[], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._tenants = tenants
        self._designer = designer
        self._observer = observer
        self._executor = executor
        self._storyteller = storyteller
        self._on_uninstalled = on_uninstalled
        self._pacing = Pacing(settings.resync_seconds)
        self._withdrawals = Withdrawals(settings.withdraw_seconds)

    async def reconcile(self, tenant: str) -> float:
        """In how many seconds to look again though nothing has changed, infinite for never."""
        now = time.time()
        try:
            one = await self.decide(tenant, now)
            if one.situation.kind in ("none", "hold"):
                await self._let_be(tenant, one)
                return (
                    self._pacing.after(tenant, one.plan, Outcome(), now) if one.situation.kind == "hold" else math.inf
                )
            delay = await self._carry_out(tenant, one, now)
        except (ApiError, HelmError, OSError) as error:
            _log.warning("tenant %s: %s", tenant, error)
            self._storyteller.count_failure()
            return self._pacing.after_failure(tenant)
        return delay

    async def _carry_out(self, tenant: str, one: Round, now: float) -> float:
        """What is going to be done is told before, how it failed afterwards; how it went the next round sees."""
        if isinstance(one.about, Wanted) and one.desired is not None:
            await self._storyteller.remark(one.about, one.remarks)
        if one.plan.actions:
            one = await self._tell(tenant, one, Outcome(), now, now)
        outcome = await self._executor.execute(one.plan, context_of(tenant, one))
        self._storyteller.count(outcome)
        if any(isinstance(action, UninstallRelease) for action in outcome.done):
            self._designer.look_anew()
            self._on_uninstalled()
        delay = self._pacing.after(tenant, one.plan, outcome, now)
        if any(isinstance(action, DropFinalizer) for action in outcome.done):
            self._forget(tenant)
        elif outcome.failed is not None or not one.plan.actions:
            await self._tell(tenant, one, outcome, now + delay, now)
        return delay

    async def decide(self, tenant: str, now: float) -> Round:
        """What a round would do. Writes nothing. Raises ApiError, HelmError."""
        wanted = self._tenants.get(tenant)
        holders = (await list_holders(self._client, self._settings.namespace, tenant)).get(tenant, ())
        found = situation(wanted, holders)
        is_withdrawn = self._withdrawals.is_over(tenant, found.going, now)
        if found.kind == "none":
            return let_alone(found, "Nothing is provisioned.")
        if found.kind == "hold":
            return let_alone(found, "A ConfigMap that isn't in force holds it.")
        if found.kind == "disown":
            message = f"It is not the ConfigMap of tenant {tenant}: what came with a copy of that one is taken off it."
            plan_ = Plan(actions=(DropFinalizer(),), phase="Unmanaged", reason="Copied", message=message)
            return Round(plan=plan_, situation=found, about=found.going[0])
        if found.kind == "hand_over":
            message = "release.enabled is false: the gateway stays as it is, and is somebody else's from now on."
            plan_ = Plan(actions=(DropFinalizer(),), phase="Unmanaged", reason="HandedOver", message=message)
            return Round(plan=plan_, situation=found, about=found.going[0])
        about = found.going[0] if found.kind == "remove" else wanted
        assert about is not None
        held_for, text = await self._marks(about, holders)
        if held_for != tenant:
            message = f"Its ConfigMap is held until tenant {held_for}, which it was before, is taken away."
            return let_alone(Situation("hold"), message, next_at=now + POLL_SECONDS)
        case = Case(
            tenant=tenant,
            situation=found,
            about=about,
            holders=holders,
            is_withdrawn=is_withdrawn,
            previous=decode_status(text),
            now=now,
        )
        return await (self._decide_removal(case) if isinstance(about, Holder) else self._decide_wanted(case, about))

    async def _decide_removal(self, case: Case) -> Round:
        observed = await self._observe(case)
        return round_of(case, plan(None, observed, case.now), observed)

    async def _decide_wanted(self, case: Case, wanted: Wanted) -> Round:
        """A tenant that wants a release, whether or not another of its name has to go first."""
        desired: Desired | None = None
        remarks: Sequence[Problem] = ()
        try:
            desired, remarks = await self._designer.design(wanted, self._tenants)
            observed = await self._observe(case, desired)
            made = plan(desired, observed, case.now)
            leaving = _leaving(made, desired)
            if leaving or any(isinstance(action, InstallRelease | UpgradeRelease) for action in made.actions):
                await self._designer.check_neighbours(wanted, desired, self._tenants, leaving)
        except Refused as refusal:
            observed = await self._observe(case, desired)
            removal = plan(None, observed, case.now) if case.situation.kind == "replace" else None
            made = refusal_plan(refusal, removal, case.now)
        return round_of(case, made, observed, desired, remarks)

    async def _observe(self, case: Case, desired: Desired | None = None) -> Observed:
        wanted = case.about if isinstance(case.about, Wanted) else None
        previous = case.previous
        told = previous or next((status for one in case.holders if (status := decode_status(one.status))), None)
        return await self._observer.observe(
            Target(
                tenant=case.tenant,
                desired=desired,
                holders=case.holders,
                wanted_source=wanted.source if wanted is not None else "",
                last_namespace=told.namespace if told is not None else "",
                attempt=previous.attempt if previous is not None else Attempt(),
                gateway_name=gateway_name_of(wanted) if wanted is not None else "",
                controller_name=controller_name_of(wanted) if wanted is not None else "",
                is_removed=case.situation.kind in ("remove", "replace"),
                is_withdrawn=case.is_withdrawn,
            )
        )

    async def _marks(self, about: Wanted | Holder, holders: tuple[Holder, ...]) -> tuple[str, str]:
        """For which tenant this ConfigMap is held or may be, and what was told last on it; one that is refused has no
        finalizer of ours."""
        for one in holders:
            if one.uid == about.uid:
                return one.tenant, one.status
        path = collection_path("v1", CONFIG_MAP, about.namespace)
        found = await list_metadata(self._client, path, name=about.name)
        labels, annotations = (found[0].labels, found[0].annotations) if found else ({}, {})
        return labels.get(PROVISIONED_LABEL) or about.tenant, annotations.get(STATUS_ANNOTATION, "")

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
        if self._forget(tenant) and wanted is not None and one.situation.kind == "none":
            await clear_status(self._client, wanted.namespace, wanted.name, wanted.uid)

    def _forget(self, tenant: str) -> bool:
        """Nothing of it is ours any more, as far as this round could see; whether anything was told of it."""
        self._pacing.forget(tenant)
        self._observer.forget(tenant)
        return self._storyteller.forget(tenant)


def _leaving(made: Plan, desired: Desired) -> ReleaseName | None:
    """The release that a plan takes away because the tenant wants it in another namespace."""
    for action in made.actions:
        if isinstance(action, UninstallRelease) and action.namespace != desired.release.namespace:
            return action.namespace, action.name
    return None
