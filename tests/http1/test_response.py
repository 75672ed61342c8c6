"""Heads of gateways' responses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entryproxy.errors import EntryError, Source
from entryproxy.http1.response import ResponseHead, parse_response_head


def head_of(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    return parse_response_head(b"".join(line + b"\r\n" for line in (first, *lines, b"")))


def refuse(block: bytes) -> EntryError:
    with pytest.raises(EntryError) as caught:
        parse_response_head(block)
    error = caught.value
    assert (error.status, error.reason, error.source, error.close) == (502, "gateway_protocol", Source.GATEWAY, True)
    return error


def test_ordinary() -> None:
    head = head_of(
        *[b"Server: istio-envoy", b"date: Fri, 20 Nov 2026 19:39:22 GMT", b"Content-Length: 12", b"Set-Cookie: a=\xe4"],
        *[
            b"Set-Cookie: b",
            b"Connection: keep-alive",
            b"Keep-Alive: timeout=5",
            b"X-Entry-Tenant: t",
            b"X_A: b",
            b"Via: 1.1 v",
        ],
    )
    assert (head.status, head.minor, head.reason, head.content_length, head.chunked) == (200, 1, b"OK", 12, False)
    assert not head.connection_close
    assert head.has_date
    assert head.lines == (
        b"Server: istio-envoy\r\ndate: Fri, 20 Nov 2026 19:39:22 GMT\r\nSet-Cookie: a=\xe4\r\nSet-Cookie: b\r\n"
        b"X-Entry-Tenant: t\r\nX_A: b\r\nVia: 1.1 v\r\n"
    )
    assert head.lines_without_hsts == head.lines


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"HTTP/1.1 200 OK", (200, 1, b"OK")),
        (b"HTTP/1.1 200 ", (200, 1, b"")),
        (b"HTTP/1.1 200", (200, 1, b"")),
        (b"HTTP/1.0 404 Not \t \xe4 found", (404, 0, b"Not \t \xe4 found")),
        (b"HTTP/1.7 100 Continue", (100, 1, b"Continue")),
        (b"HTTP/1.1 599 x", (599, 1, b"x")),
    ],
)
def test_status_line(first: bytes, expected: tuple[int, int, bytes]) -> None:
    head = head_of(first=first)
    assert (head.status, head.minor, head.reason) == expected
    assert not head.has_date
    assert head.lines == b""


@pytest.mark.parametrize(
    "first",
    [
        *[b"", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 099 a", b"HTTP/1.1 600 a"],
        *[
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1 +20 OK",
            b"HTTP/1.1\t200 OK",
            b"HTTP/1.1 200\tOK",
            b"HTTP/2 200",
            b"HTTP/2.0 200 OK",
        ],
        *[
            b"HTTP/1.10 200 OK",
            b"http/1.1 200 OK",
            b"ICY 200 OK",
            b" HTTP/1.1 200 OK",
            b"HTTP/1.1 200 O\x00K",
            b"HTTP/1.1 200 O\rK",
        ],
        *[b"HTTP/1.1 200 OK\n", b"HTTP/1.1 200 \x7f", b"HTTP/1.1 2\xb20 OK", "HTTP/1.1 ２00 OK".encode()],
    ],
)
def test_malformed_status_line(first: bytes) -> None:
    refuse(first + b"\r\n\r\n")


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n",
        b"HTTP/1.1 200 OK\n\n",
    ],
)
def test_unfinished_head(block: bytes) -> None:
    refuse(block)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        *[[b"Content-Length: " + value] for value in (b"", b"+5", b"-1", b"5, 5", b"0x5", b"5_0", b"5\t", b"9" * 19)],
        *[
            [b"Transfer-Encoding: " + value]
            for value in (
                b"",
                b"gzip",
                b"identity",
                b"gzip, chunked",
                b"chunked, gzip",
                b"chunked;a",
                b"chunked,",
                b"chunked\t",
            )
        ],
        [b"Connection: a b"],
        [b"Sec-WebSocket-Accept: a", b"Sec-WebSocket-Accept: a"],
        [b"X: a", b" b"],
        [b"X : a"],
        [b"Server"],
        [b": a"],
        [b"X: a\x00"],
        [b"X: a\rb"],
        [b"X: a\nContent-Length: 0"],
        [b"Content-Length : 5"],
        [b"X\xe4: a"],
    ],
)
def test_malformed(lines: list[bytes]) -> None:
    refuse(b"".join(line + b"\r\n" for line in (b"HTTP/1.1 200 OK", *lines, b"")))


def test_too_many_fields() -> None:
    block = b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 3 + b"\r\n"
    assert parse_response_head(block, fields_max=3).lines == b"X: a\r\n" * 3
    with pytest.raises(EntryError) as caught:
        parse_response_head(block, fields_max=2)
    assert caught.value.status == 502


def test_chunked() -> None:
    head = head_of(b"transfer-encoding: Chunked", b"Trailer: X-T")
    assert head.chunked
    assert head.lines == b"Trailer: X-T\r\n"
    refuse(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


@pytest.mark.parametrize(
    ("first", "lines", "close"),
    [
        (b"HTTP/1.1 200 OK", [], False),
        (b"HTTP/1.1 200 OK", [b"Connection: x, Close"], True),
        (b"HTTP/1.1 200 OK", [b"Connection: keep-alive", b"Connection: close"], True),
        (b"HTTP/1.0 200 OK", [], True),
        (b"HTTP/1.0 200 OK", [b"Connection: Keep-Alive"], False),
        (b"HTTP/1.0 200 OK", [b"Connection: keep-alive, close"], True),
    ],
)
def test_connection_close(first: bytes, lines: list[bytes], close: bool) -> None:
    assert head_of(*lines, first=first).connection_close is close


@pytest.mark.parametrize("status", [b"100", b"101", b"104", b"199"])
def test_interim_responses_have_no_body(status: bytes) -> None:
    first = b"HTTP/1.1 " + status + b" a\r\n"
    assert parse_response_head(first + b"Content-Length: 0\r\n\r\n").content_length == 0
    refuse(first + b"Content-Length: 1\r\n\r\n")
    refuse(first + b"Transfer-Encoding: chunked\r\n\r\n")


def test_hop_by_hop_and_named_fields_are_dropped() -> None:
    head = head_of(
        *[
            b"Connection: X-A, close",
            b"x-a: 1",
            b"X-B: 2",
            b"Proxy-Connection: a",
            b"Keep-Alive: a",
            b"Upgrade: h2",
            b"TE: a",
        ],
        *[b"Proxy-Authenticate: Basic", b"X_A: 3"],
    )
    assert head.lines == b"X-B: 2\r\nX_A: 3\r\n"


def test_upgrade() -> None:
    lines = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: k="]
    head = head_of(*lines, first=b"HTTP/1.1 101 Switching Protocols")
    assert (head.upgrade, head.websocket_accept) == (b"websocket", b"k=")
    assert head.lines == b"Sec-WebSocket-Accept: k=\r\n"
    assert head_of(*lines).upgrade is None
    assert head_of(*lines[1:], first=b"HTTP/1.1 101 Switching Protocols").upgrade is None
    head = head_of(*lines, b"Connection: sec-websocket-accept", first=b"HTTP/1.1 101 Switching Protocols")
    assert (head.websocket_accept, head.lines) == (None, b"")


def test_hsts() -> None:
    head = head_of(b"X-A: 1", b"strict-transport-SECURITY: max-age=1", b"X-B: 2")
    assert head.lines == b"X-A: 1\r\nstrict-transport-SECURITY: max-age=1\r\nX-B: 2\r\n"
    assert head.lines_without_hsts == b"X-A: 1\r\nX-B: 2\r\n"


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for block in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            assert head_lines_are_clean(parse_response_head(block))
        except EntryError as error:
            assert error.status == 502


def head_lines_are_clean(head: ResponseHead) -> bool:
    return head.lines == b"" or parse_response_head(b"HTTP/1.1 200 OK\r\n" + head.lines + b"\r\n").lines == head.lines
