"""The pod at one moment, taken on the event loop and safe to read in another thread."""

from __future__ import annotations

import dataclasses

from entryproxy.console.view import ControlView, WorkerInfo
from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.times import rfc3339
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.histogram import Histogram
from entryproxy.telemetry.scrape import Scrape


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """A copy of what `ControlView` says. now: Unix time. reason: why the pod is not ready, "" when it is."""

    now: float
    ready: bool
    reason: str
    snapshot: Snapshot | None
    generation: int
    findings: tuple[Finding, ...]
    workers: tuple[WorkerInfo, ...]
    reports: tuple[WorkerReport, ...]
    propagation: Histogram
    started_at: float
    configured_at: float | None
    source_error: str

    def as_scrape(self) -> Scrape:
        """What the metrics are made of."""
        return Scrape(
            reports=self.reports,
            snapshot=self.snapshot,
            generation=self.generation,
            findings=self.findings,
            propagation=self.propagation,
            workers=sum(one.connected for one in self.workers),
            worker_restarts=sum(one.restarts for one in self.workers),
            configured_at=self.configured_at,
            source_readable=not self.source_error,
        )


def readiness_of(view: ControlView) -> tuple[bool, str]:
    """Whether the pod may get traffic, and why not."""
    if view.draining:
        return False, "draining"
    if not view.ready:
        return False, view.reason or "not ready"
    return True, ""


def staleness_of(view: ControlView) -> str:
    """A line that says since when the source is out of reach, "" when it isn't."""
    if not view.source_error:
        return ""
    since = f"; serving what was good at {rfc3339(view.configured_at)}" if view.configured_at is not None else ""
    return f"the source can't be read: {view.source_error}{since}\n"


async def take(view: ControlView, now: float) -> PodState:
    """Ask the workers, then copy everything without a pause, so that it fits together."""
    reports = tuple(await view.reports())
    ready, reason = readiness_of(view)
    return PodState(
        now=now,
        ready=ready,
        reason=reason,
        snapshot=view.snapshot,
        generation=view.generation,
        findings=tuple(view.findings),
        workers=tuple(sorted(view.workers, key=lambda one: one.slot)),
        reports=reports,
        propagation=view.propagation.copy(),
        started_at=view.started_at,
        configured_at=view.configured_at,
        source_error=view.source_error,
    )
