"""What remains of a request: an entry in the counters and a line in the access log, made a batch at a time.

The request's path only appends. Rendering a hundred lines in a row costs less than a hundred times between other work,
and the client does not wait for it.
"""

from __future__ import annotations

import asyncio
from time import time
from typing import TYPE_CHECKING

from entryproxy.telemetry.access_line import AT_ONCE, LineRenderer

if TYPE_CHECKING:
    from entryproxy.telemetry.access_line import ConnectionText, HeadText, Record
    from entryproxy.telemetry.access_log import AccessLog
    from entryproxy.telemetry.counters import TenantReport

PROTOCOL = "HTTP/1.1"
_BATCH_RECORDS = 128
_BATCH_SECONDS = 0.05


class Accounts:
    """Finished requests of one worker, counted and logged when there are many of them, or after a moment."""

    __slots__ = ("_log", "_loop", "_records", "_renderer", "_reports", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, log: AccessLog) -> None:
        self._loop = loop
        self._log = log
        self._renderer = LineRenderer()
        self._records: list[Record] = []
        self._reports: list[TenantReport] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self,
        report: TenantReport,
        request_id: bytes,
        head: HeadText,
        client: ConnectionText,
        method: str,
        path: str,
        status: int,
        received: int,
        sent: int,
        duration: float,
        first_byte: float | None,
        gateway: str,
        error: str,
    ) -> None:
        """One request: method, path, gateway, error as JSON; sizes in bytes, durations in seconds, or AT_ONCE."""
        self._reports.append(report)
        self._records.append(
            (
                time(), request_id, head, client, method, path, PROTOCOL,
                status, received, sent, duration, first_byte, gateway, error,
            )
        )  # fmt: skip
        if len(self._records) >= _BATCH_RECORDS:
            self.settle()
        elif self._timer is None:
            self._timer = self._loop.call_later(_BATCH_SECONDS, self._on_timer)

    def settle(self) -> None:
        """Count and log what has been added; also before a scrape, so that it misses nothing."""
        records, self._records = self._records, []
        reports, self._reports = self._reports, []
        for report, record in zip(reports, records, strict=True):
            _, _, _, _, _, _, protocol, status, received, sent, duration, first_byte, _, _ = record
            if first_byte == AT_ONCE:
                first_byte = duration
            report.observe(status, protocol, duration, first_byte, received, sent)
        if records:
            self._log.write(self._renderer.render(records))

    def _on_timer(self) -> None:
        self._timer = None
        self.settle()
