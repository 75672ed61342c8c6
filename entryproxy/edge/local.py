"""Requests that the entry answers itself: refusals, redirects, OPTIONS that goes no further.

Functions over a connection, so that `http1` holds only what moves bytes.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from entryproxy.edge import answers
from entryproxy.edge.account import PROTOCOL
from entryproxy.edge.heads import trusted_request_id
from entryproxy.edge.policy import redirect_location
from entryproxy.http1.request import ALLOW
from entryproxy.telemetry.access_line import AT_ONCE, NULL, HeadText, json_text
from entryproxy.telemetry.counters import UNKNOWN_TENANT

if TYPE_CHECKING:
    from entryproxy.edge.heads import KnownRequest
    from entryproxy.edge.http1 import Http1Connection
    from entryproxy.errors import EntryError
    from entryproxy.http1.request import RequestLine
    from entryproxy.telemetry.access_line import Record
    from entryproxy.telemetry.counters import TenantReport

_NO_TEXT = HeadText()


def send_problem(
    http: Http1Connection,
    error: EntryError,
    request_id: bytes,
    known: KnownRequest | None,
    method: bytes,
    *,
    close: bool,
) -> int:
    """Send a problem document, or a page to a client that prefers one; the number of bytes."""
    data = answers.problem(
        error,
        request_id.decode(),
        as_html=known is not None and known.fields.prefers_html,
        close=close,
        head_only=method == b"HEAD",
        date=http.edge.http_date(),
    )
    http.link.write(data)
    return len(data)


def refuse_bytes(http: Http1Connection, error: EntryError) -> None:
    """Answer bytes that were not understood as a request."""
    edge = http.edge
    edge.report.reject(error.reason)
    request_id = edge.new_request_id()
    sent = send_problem(http, error, request_id, None, b"", close=True)
    _account(http, error.status, error.reason, None, None, request_id, 0, sent)


def refuse_request(
    http: Http1Connection, error: EntryError, line: RequestLine, known: KnownRequest, received: int, *, close: bool
) -> None:
    """Answer a request that was understood and leads nowhere."""
    http.edge.report.reject(error.reason)
    request_id = _request_id(http, known)
    sent = send_problem(http, error, request_id, known, line.method, close=close)
    _account(http, error.status, error.reason, line, known, request_id, received, sent)


def serve_locally(http: Http1Connection, line: RequestLine, known: KnownRequest, received: int, *, close: bool) -> bool:
    """Answer what needs no gateway; False when the request is none of that."""
    edge, link = http.edge, http.link
    location = None if link.secure else redirect_location(edge, link, known, line.target)
    if location is None and (known.fields.max_forwards != 0 or line.method != b"OPTIONS"):
        return False
    request_id = _request_id(http, known)
    date = edge.http_date()
    if location is not None:
        status = 308
        head_only = line.method == b"HEAD"
        data = answers.redirect(location, request_id.decode(), close=close, head_only=head_only, date=date)
    else:
        status = 200
        data = answers.options(ALLOW, request_id.decode(), close=close, date=date)
    link.write(data)
    _account(http, status, None, line, known, request_id, received, len(data))
    return True


def _request_id(http: Http1Connection, known: KnownRequest) -> bytes:
    kept = trusted_request_id(known.fields.request_id) if http.link.trusted else b""
    return kept or http.edge.new_request_id()


def _account(
    http: Http1Connection,
    status: int,
    reason: str | None,
    line: RequestLine | None,
    known: KnownRequest | None,
    request_id: bytes,
    received: int,
    sent: int,
) -> None:
    """A request that never became an exchange."""
    tenant_id = known.tenant_id if known is not None else ""
    client = http.client.text
    if known is not None and http.link.trusted:
        client = http.client.text_behind(known.fields.forwarded_for)
    now = monotonic()
    report = http.edge.report.tenant(tenant_id or UNKNOWN_TENANT)
    http.edge.accounts.add(
        LocalAnswer(
            report,
            (
                now,
                request_id,
                known.text if known is not None else _NO_TEXT,
                client,
                json_text(line.method if line is not None else None),
                json_text(line.target if line is not None else None),
                PROTOCOL,
                status,
                received,
                sent,
                0.0,
                AT_ONCE,
                NULL,
                json_text(reason),
            ),
        )
    )


class LocalAnswer(NamedTuple):
    """A request that was answered here, for the accounts; its record's time is still time.monotonic."""

    report: TenantReport
    unplaced: Record

    def record(self, epoch: float) -> Record:
        ended, *rest = self.unplaced
        return (epoch + ended, *rest)  # type: ignore[return-value]  # the same but for the time
