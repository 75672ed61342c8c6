"""What an answer to Prometheus is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Snapshot
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.histogram import Histogram


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """What one answer to a scrape is made of; nothing in it changes while it is rendered.

    configured_at: Unix time at which the configuration last agreed with its source, None before the first.
    """

    reports: Sequence[WorkerReport]
    snapshot: Snapshot | None
    generation: int
    findings: Sequence[Finding]
    propagation: Histogram
    workers: int
    worker_restarts: int
    configured_at: float | None
    source_readable: bool
