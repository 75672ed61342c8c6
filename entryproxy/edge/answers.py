"""Answers that the entry gives itself: problem documents (RFC 9457), small pages for browsers, redirects."""

from __future__ import annotations

import html
import json
from http import HTTPStatus

from entryproxy.errors import EntryError


def title_of(status: int) -> str:
    """The reason phrase of a status code."""
    return HTTPStatus(status).phrase


def problem(error: EntryError, request_id: str, *, as_html: bool, close: bool, head_only: bool, date: bytes) -> bytes:
    """A whole answer that says what went wrong; head_only for HEAD, which gets the same fields without the body."""
    title = title_of(error.status)
    if as_html:
        kind = "text/html; charset=utf-8"
        body = _page(error.status, title, error.detail, request_id)
    else:
        kind = "application/problem+json"
        body = json.dumps(
            {"status": error.status, "title": title, "detail": error.detail, "requestId": request_id}
        ).encode()
    fields = [("Content-Type", kind), *error.headers]
    return _answer(error.status, title, fields, body, request_id, close=close, head_only=head_only, date=date)


def redirect(location: str, request_id: str, *, close: bool, head_only: bool, date: bytes) -> bytes:
    """308 to the same resource over https; the method and the body stay what they are (RFC 9110 §15.4.9)."""
    return _answer(
        308,
        "Permanent Redirect",
        [("Location", location)],
        b"",
        request_id,
        close=close,
        head_only=head_only,
        date=date,
    )


def options(allow: str, request_id: str, *, close: bool, date: bytes) -> bytes:
    """The answer to OPTIONS with Max-Forwards: 0, which stops here (RFC 9110 §7.6.2)."""
    return _answer(200, "OK", [("Allow", allow)], b"", request_id, close=close, head_only=False, date=date)


def _answer(
    status: int,
    title: str,
    fields: list[tuple[str, str]],
    body: bytes,
    request_id: str,
    *,
    close: bool,
    head_only: bool,
    date: bytes,
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {title}",
        f"Date: {date.decode()}",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
    ]
    lines += [f"{name}: {value}" for name, value in fields]
    if status >= 400:
        lines.append("Cache-Control: no-store")
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if head_only else head + body


def _page(status: int, title: str, detail: str, request_id: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{status} {html.escape(title)}</title>"
        f'<body style="font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem">'
        f"<h1>{status} {html.escape(title)}</h1><p>{html.escape(detail)}</p>"
        f"<p><small>Request {html.escape(request_id)}</small></p></body></html>\n"
    ).encode()
