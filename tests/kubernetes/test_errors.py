from __future__ import annotations

import json

import pytest

from entryproxy.kubernetes.errors import ApiError, read_status


def body(**fields: object) -> bytes:
    return json.dumps({"kind": "Status", **fields}).encode()


def test_a_status() -> None:
    error = read_status(body(code=403, reason="Forbidden", message="secrets is forbidden"), 403)
    assert (error.status, error.reason, error.message) == (403, "Forbidden", "secrets is forbidden")
    assert error.retry_after_seconds is None
    assert not error.is_gone
    assert repr(error) == "<ApiError 403 Forbidden: secrets is forbidden>"


def test_of_an_event_the_body_says_the_code() -> None:
    error = read_status(body(code=410, reason="Expired", message="too old"))
    assert (error.status, error.is_gone) == (410, True)


@pytest.mark.parametrize(
    ("status", "reason", "is_gone"),
    [(410, "Gone", True), (410, "Unknown", True), (0, "Expired", True), (404, "NotFound", False), (0, "X", False)],
)
def test_is_gone(status: int, reason: str, is_gone: bool) -> None:
    assert ApiError(status, reason, "").is_gone == is_gone


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("7", {}, 7),
        ("7", {"retryAfterSeconds": 3}, 7),
        ("", {"retryAfterSeconds": 3}, 3),
        ("", {"retryAfterSeconds": 0}, None),
        ("", None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, None),
        ("-1", None, None),
        ("٣", None, None),
    ],
)
def test_retry_after(header: str, details: object, seconds: float | None) -> None:
    assert read_status(body(details=details), 429, header).retry_after_seconds == seconds


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff", b"[]", b'{"message": 7}', b'{"kind":"Pod","message":"x"}'])
def test_a_body_that_is_no_status(raw: bytes) -> None:
    error = read_status(raw, 502)
    assert (error.status, error.reason, error.message) == (502, "Unknown", "The API server answered 502")


def test_a_long_message_is_cut() -> None:
    assert len(read_status(body(message="x" * 5000), 500).message) == 1000
