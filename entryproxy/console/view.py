"""What the console shows, as the control process provides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Snapshot
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.histogram import Histogram


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One worker's place in the pod.

    pid: 0 while none runs. generation: the configuration it has in force. restarts: how often it was replaced.
    """

    slot: int
    pid: int
    connected: bool
    generation: int
    restarts: int = 0


class ControlView(Protocol):
    """The state of one pod, read on the control process's event loop.

    ready, reason: whether the pod may get traffic, and in a sentence why not.
    snapshot: the newest configuration, None before the first. generation: of it, 0 before the first.
    findings: what the compiler says about the objects as they are now.
    propagation: seconds from seeing a change to having it in force in every worker.
    started_at: Unix time. configured_at: Unix time at which the configuration in force agreed with the source last:
    now, while the source can be followed; for the last good configuration of an earlier process, when that did last;
    None before the first.
    source_error: why the source can't be read at present, "" when it can.
    """

    @property
    def ready(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def draining(self) -> bool: ...
    @property
    def snapshot(self) -> Snapshot | None: ...
    @property
    def generation(self) -> int: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def workers(self) -> Sequence[WorkerInfo]: ...
    @property
    def propagation(self) -> Histogram: ...
    @property
    def started_at(self) -> float: ...
    @property
    def configured_at(self) -> float | None: ...
    @property
    def source_error(self) -> str: ...

    async def reports(self) -> Sequence[WorkerReport]:
        """What to sum: `telemetry.totals.Totals.reports()` once the workers have answered, or had their time to.

        Nobody changes these reports any more; they are summed in another thread.
        """
        ...
