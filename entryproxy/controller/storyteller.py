"""What is told of the rounds: Events on the tenants' ConfigMaps, the log, and numbers for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from entryproxy.controller.events import EventRecorder, Regarding
from entryproxy.controller.holders import Holder
from entryproxy.controller.tenants import Wanted
from entryproxy.model.objects import CONFIG_MAP
from entryproxy.model.status import TenantStatus
from entryproxy.provision.actions import InstallRelease, RollbackRelease, UninstallRelease, UpgradeRelease
from entryproxy.provision.problems import Problem
from entryproxy.provision.statuses import Outcome
from entryproxy.telemetry.releases import ControllerReport, ReleaseReport

_OPERATIONS: Mapping[type, str] = {
    InstallRelease: "install",
    UpgradeRelease: "upgrade",
    RollbackRelease: "rollback",
    UninstallRelease: "uninstall",
}
_log = logging.getLogger(__name__)


class Storyteller:
    """Tells everything once. report: where it is counted."""

    def __init__(self, recorder: EventRecorder, report: ControllerReport) -> None:
        self._recorder = recorder
        self._report = report
        self._told: dict[str, tuple[str, str]] = {}
        self._remarks: dict[str, frozenset[Problem]] = {}

    async def tell(self, tenant: str, about: Wanted | Holder, status: TenantStatus, *, has_failed: bool) -> None:
        """Where a tenant stands. about: its ConfigMap. has_failed: something was tried."""
        self._report.releases[tenant] = ReleaseReport(status.phase, status.revision)
        news = (status.reason, status.message)
        if self._told.get(tenant) == news:
            return
        self._told[tenant] = news
        is_bad = status.phase == "Failed" or has_failed
        _log.log(logging.WARNING if is_bad else logging.INFO, "tenant %s: %s: %s", tenant, *news)
        await self._recorder.record(_regarding(about), "Warning" if is_bad else "Normal", *news)

    async def remark(self, wanted: Wanted, problems: Iterable[Problem]) -> None:
        """What stands in nobody's way and is worth knowing, each once."""
        remarks = frozenset(problems)
        for one in remarks - self._remarks.get(wanted.tenant, frozenset()):
            await self._recorder.record(_regarding(wanted), "Warning", one.reason, f"{one.field}: {one.message}")
        self._remarks[wanted.tenant] = remarks

    def count_failure(self) -> None:
        """A round that didn't come as far as a plan."""
        self._report.rounds["failed"] += 1

    def forget(self, tenant: str) -> bool:
        """Nothing more is to tell of it; whether anything was."""
        self._report.releases.pop(tenant, None)
        self._remarks.pop(tenant, None)
        return self._told.pop(tenant, None) is not None

    def count(self, outcome: Outcome) -> None:
        """What was done in a round."""
        self._report.rounds["failed" if outcome.failed is not None else "changed" if outcome.done else "unchanged"] += 1
        for action in outcome.done:
            if operation := _OPERATIONS.get(type(action)):
                self._report.operations[operation, "succeeded"] += 1
        if operation := _OPERATIONS.get(type(outcome.failed)):
            self._report.operations[operation, "failed"] += 1


def _regarding(about: Wanted | Holder) -> Regarding:
    return Regarding("v1", CONFIG_MAP, about.namespace, about.name, about.uid)
