"""The work of the controller that leads: follows the tenants, and looks at whoever needs it, a few at a time."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Mapping, Sequence, Set
from time import monotonic

from entryproxy.config.manifests import parse_documents
from entryproxy.config.yaml import parse_yaml
from entryproxy.controller.design import Designer
from entryproxy.controller.events import EventRecorder
from entryproxy.controller.execute import Executor
from entryproxy.controller.finding_events import FindingEvents
from entryproxy.controller.helm.charts import ChartStore
from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.holders import list_holders
from entryproxy.controller.manifests import Manifests
from entryproxy.controller.observe import Observer
from entryproxy.controller.queue import WorkQueue
from entryproxy.controller.reconcile import Reconciler
from entryproxy.controller.rounds import Round
from entryproxy.controller.storyteller import Storyteller
from entryproxy.controller.tenants import Source, Tenants
from entryproxy.kubernetes.backoff import Backoff
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.finding import Finding
from entryproxy.settings import ControllerSettings
from entryproxy.tasks import run_together
from entryproxy.telemetry.releases import ControllerReport

HANDS = 8
"""Tenants that are looked at at the same time: more than runs of Helm, since most looks need none."""
COMPLETE_SECONDS_MAX = 60.0
FAULT_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Controller:
    """One term of office; whoever leads again begins anew. report: what is counted, over all terms."""

    def __init__(
        self,
        client: ClusterClient,
        source: Source,
        helm: Helm,
        charts: ChartStore,
        settings: ControllerSettings,
        report: ControllerReport,
    ) -> None:
        self._client = client
        self._settings = settings
        self._report = report
        self._queue = WorkQueue()
        recorder = EventRecorder(client)
        self._tenants = Tenants(source, parse_yaml, self._on_change, self._on_findings)
        self._finding_events = FindingEvents(recorder, self._tenants.uid_of)
        manifests = Manifests(client, parse_documents)
        self._reconciler = Reconciler(
            client,
            settings,
            self._tenants.by_id,
            designer=Designer(client, helm, charts, settings),
            observer=Observer(
                client,
                manifests,
                entry_namespace=settings.namespace,
                shared_namespaces=settings.shared_namespaces,
                rollout_seconds=settings.rollout_seconds,
            ),
            executor=Executor(client, helm, manifests=manifests),
            storyteller=Storyteller(recorder, report),
            on_uninstalled=self._look_at_sharers,
        )

    @property
    def is_complete(self) -> bool:
        """Whether all tenants have been seen."""
        return self._tenants.complete.is_set()

    @property
    def waiting(self) -> int:
        """Tenants that are due and wait for a free hand."""
        return len(self._queue)

    async def lead(self) -> None:
        """Until it is cancelled; no run of Helm goes on after that."""
        hands = (self._work() for _ in range(HANDS))
        await run_together(self._tenants.follow(), self._finding_events.run(), self._begin(), self._judge(), *hands)

    async def preview(self, now: float) -> Mapping[str, Round]:
        """What would be done for each tenant as it is now, by id. now: Unix seconds. Raises ApiError, HelmError, and
        TimeoutError when the cluster can't be read."""
        async with asyncio.timeout(COMPLETE_SECONDS_MAX):
            await run_together(self._tenants.follow(), self._tenants.complete.wait())
        return {tenant: await self._reconciler.decide(tenant, now) for tenant in sorted(await self._known())}

    async def _begin(self) -> None:
        """Look at everybody once; never ends, as its end would be the end of all."""
        await self._tenants.complete.wait()
        for tenant in await self._persist_known():
            self._queue.add(tenant)
        await asyncio.Event().wait()

    async def _persist_known(self) -> set[str]:
        """`_known`, however often the API server has to be asked."""
        backoff = Backoff(random.random)
        while True:
            try:
                return await self._known()
            except ApiError as error:
                _log.warning("what is held from before can't be listed: %s", error)
                await asyncio.sleep(backoff.failed(error, monotonic()))

    async def _known(self) -> set[str]:
        """Tenants that want a release, and those that have one to be taken away."""
        wanted = {one.tenant for one in self._tenants.by_id.values() if one.wants_release}
        return wanted | set(await list_holders(self._client, self._settings.namespace))

    async def _judge(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync_seconds)
            self._tenants.judge_again()

    async def _work(self) -> None:
        while True:
            tenant = await self._queue.get()
            try:
                delay = await self._reconciler.reconcile(tenant)
                if math.isfinite(delay):
                    # What is on its way comes before what is looked at as a matter of routine.
                    self._queue.add(tenant, delay, is_urgent=delay < self._settings.resync_seconds / 2)
            except Exception:  # a fault of ours that one tenant brings to light is no reason to leave all others alone
                _log.exception("tenant %s failed", tenant)
                self._queue.add(tenant, FAULT_SECONDS)
            finally:
                self._queue.done(tenant)

    def _on_change(self, touched: Set[str]) -> None:
        """Somebody's change is urgent; those who are new, perhaps hundreds, wait until those before them have been seen
        through."""
        if not self.is_complete:
            return
        for tenant in touched:
            self._queue.add(tenant, is_urgent=tenant in self._report.releases)
        self._look_at_sharers()

    def _look_at_sharers(self) -> None:
        """Those of a shared namespace have to know who else is there."""
        for one in self._tenants.by_id.values():
            if one.wants_release and one.spec.release is not None and one.spec.release.isolation == "shared":
                self._queue.add(one.tenant)

    def _on_findings(self, findings: Sequence[Finding]) -> None:
        self._finding_events.update(findings)
