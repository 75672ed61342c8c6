"""What remains of a request: an entry in the counters and a line in the access log, made a batch at a time.

The request's path only appends. Rendering a hundred lines in a row costs less than a hundred times between other work,
and the client does not wait for it.
"""

from __future__ import annotations

import asyncio
from time import monotonic, time
from typing import TYPE_CHECKING, Protocol

from entryproxy.telemetry.access_line import AT_ONCE, LineRenderer, json_text

if TYPE_CHECKING:
    from entryproxy.edge.exchange import Exchange
    from entryproxy.telemetry.access_line import Record
    from entryproxy.telemetry.access_log import AccessLog
    from entryproxy.telemetry.counters import TenantReport

PROTOCOL = "HTTP/1.1"
_BATCH_RECORDS = 128
_BATCH_SECONDS = 0.05


_METHOD_TEXTS = {
    method: json_text(method) for method in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
}


def record_of(exchange: Exchange, epoch: float) -> Record:
    """What the access log says of an exchange that has ended."""
    http, known, ended = exchange.http, exchange.known, exchange.ended
    return (
        epoch + ended,
        exchange.request_id,
        known.text,
        http.client.text if not http.link.trusted else http.client.text_behind(known.fields.forwarded_for),
        _METHOD_TEXTS.get(exchange.method) or json_text(exchange.method),
        json_text(exchange.target) if exchange.needs_escape else f'"{exchange.target.decode()}"',
        PROTOCOL,
        exchange.status,
        exchange.received,
        exchange.sent,
        ended - exchange.started,
        exchange.first_byte,
        exchange.gateway,
        exchange.error,
    )


class Finished(Protocol):
    """A request that has ended, or a stand-in for one that never became an exchange."""

    @property
    def report(self) -> TenantReport: ...

    def record(self, epoch: float) -> Record:
        """What the log says of it. epoch: Unix time when time.monotonic was 0."""


class Accounts:
    """Finished requests of one worker, counted and logged when there are many of them, or after a moment."""

    __slots__ = ("_finished", "_log", "_loop", "_renderer", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, log: AccessLog) -> None:
        self._loop = loop
        self._log = log
        self._renderer = LineRenderer()
        self._finished: list[Finished] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, finished: Finished) -> None:
        """One request; it must not change any more."""
        self._finished.append(finished)
        if len(self._finished) >= _BATCH_RECORDS:
            self.settle()
        elif self._timer is None:
            self._timer = self._loop.call_later(_BATCH_SECONDS, self._on_timer)

    def settle(self) -> None:
        """Count and log what has been added; also before a scrape, so that it misses nothing."""
        finished, self._finished = self._finished, []
        if not finished:
            return
        epoch = time() - monotonic()
        records = []
        for one in finished:
            record = one.record(epoch)
            records.append(record)
            _, _, _, _, _, _, protocol, status, received, sent, duration, first_byte, _, _ = record
            if first_byte == AT_ONCE:
                first_byte = duration
            one.report.observe(status, protocol, duration, first_byte, received, sent)
        self._log.write(self._renderer.render(records))

    def _on_timer(self) -> None:
        self._timer = None
        self.settle()
