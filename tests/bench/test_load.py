"""What load generators report, and when a sample is worth nothing."""

from __future__ import annotations

import json

import pytest

from bench.clients import is_complete
from bench.load import Load, LoadError, parse_wrk


def wrk_output(**changes: float) -> str:
    report = {
        "requests": 300, "bytes": 90_000, "seconds": 3.0, "broken": 0, "refused": 0, "p50_ms": 1.5, "p99_ms": 4.0,
    } | changes  # fmt: skip
    return "Running 3s test @ https://127.0.0.1:1/\n  300 requests in 3.00s\n" + json.dumps(report) + "\n"


def test_the_last_line_counts() -> None:
    assert parse_wrk(wrk_output()) == Load(requests=300, seconds=3.0, p50_ms=1.5, p99_ms=4.0)


def test_large_bodies_count_as_far_as_they_came() -> None:
    assert parse_wrk(wrk_output(requests=2, bytes=25_000_000), bytes_each=10_000_000).requests == 2.5


@pytest.mark.parametrize("change", [{"refused": 1}, {"broken": 1}, {"bytes": 0}])
def test_failed_requests_spoil_the_sample(change: dict[str, float]) -> None:
    with pytest.raises(LoadError):
        parse_wrk(wrk_output(**change))


@pytest.mark.parametrize(
    ("answer", "complete"),
    [
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", True),
    ],
)
def test_an_answer_ends_where_its_framing_says(answer: bytes, complete: bool) -> None:
    assert is_complete(answer) is complete
