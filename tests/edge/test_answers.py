"""Answers that the entry gives itself, byte for byte."""

from __future__ import annotations

import json

import pytest

from entryproxy.edge import answers
from entryproxy.errors import EntryError

_DATE = b"Fri, 20 Nov 2026 20:00:00 GMT"
_ERROR = EntryError(503, "reason", 'A "detail" & <more>.', headers=(("Retry-After", "1"),))


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("head_only", [False, True])
def test_problem(close: bool, head_only: bool) -> None:
    data = answers.problem(_ERROR, "id", as_html=False, close=close, head_only=head_only, date=_DATE)
    head, _, body = data.partition(b"\r\n\r\n")
    length = len(
        json.dumps({"status": 503, "title": "Service Unavailable", "detail": _ERROR.detail, "requestId": "id"})
    )
    assert head == (
        b"HTTP/1.1 503 Service Unavailable\r\nDate: " + _DATE + b"\r\nContent-Length: %d\r\nX-Request-Id: id\r\n"
        b"Content-Type: application/problem+json\r\nRetry-After: 1\r\nCache-Control: no-store" % length
    ) + (b"\r\nConnection: close" if close else b"")
    assert len(body) == (0 if head_only else length)


def test_pages_escape() -> None:
    data = answers.problem(_ERROR, "<id>", as_html=True, close=False, head_only=False, date=_DATE)
    body = data.partition(b"\r\n\r\n")[2]
    assert b"&lt;id&gt;" in body
    assert b"<more>" not in body
    assert b"Content-Type: text/html; charset=utf-8\r\n" in data


def test_redirect_and_options() -> None:
    assert answers.redirect("https://a/", "id", close=True, head_only=False, date=_DATE) == (
        b"HTTP/1.1 308 Permanent Redirect\r\nDate: " + _DATE + b"\r\nContent-Length: 0\r\nX-Request-Id: id\r\n"
        b"Location: https://a/\r\nConnection: close\r\n\r\n"
    )
    assert answers.options("GET", "id", close=False, date=_DATE) == (
        b"HTTP/1.1 200 OK\r\nDate: " + _DATE + b"\r\nContent-Length: 0\r\nX-Request-Id: id\r\nAllow: GET\r\n\r\n"
    )
