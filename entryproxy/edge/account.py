"""What remains of a request: one entry in the counters, one line in the access log."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from entryproxy.telemetry.access_line import json_seconds

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.telemetry.access_line import ConnectionText, HeadText
    from entryproxy.telemetry.counters import TenantReport

PROTOCOL = "HTTP/1.1"
AT_ONCE = -1.0
"""As `first_byte`: the first byte of the answer was sent together with the last."""


def account(
    edge: EdgeContext,
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
    """Count and log one request. method, path, gateway, error: as JSON. Sizes in bytes, durations in seconds."""
    duration_text = json_seconds(duration)
    if first_byte == AT_ONCE:
        first_byte, first_byte_text = duration, duration_text
    else:
        first_byte_text = json_seconds(first_byte)
    report.observe(status, PROTOCOL, duration, first_byte, received, sent)
    edge.log.write(
        edge.lines.render(
            time(),
            request_id.decode(),
            head,
            client,
            method,
            path,
            PROTOCOL,
            status,
            received,
            sent,
            duration_text,
            first_byte_text,
            gateway,
            error,
        )
    )
