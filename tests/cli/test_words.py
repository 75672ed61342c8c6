from __future__ import annotations

import pytest

from entryproxy.cli import words
from entryproxy.model.tenant import Limits, Timeouts
from entryproxy.routing.explain import GatewayView

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("", "<unknown>"),
        ("2026-01-01T12:00:01Z", "0s"),
        ("2026-01-01T12:00:00Z", "0s"),
        ("2026-01-01T11:58:01Z", "119s"),
        ("2026-01-01T11:58:00Z", "2m"),
        ("2026-01-01T10:00:01Z", "119m"),
        ("2026-01-01T10:00:00.000000Z", "2h"),
        ("2025-12-30T12:00:01Z", "47h"),
        ("2025-12-30T12:00:00Z", "2d"),
        ("2024-01-03T12:00:00Z", "729d"),
        ("2023-01-01T12:00:00Z", "3y"),
    ],
)
def test_ages(created: str, expected: str) -> None:
    assert words.age(created, NOON) == expected


def test_counts() -> None:
    assert [words.count(number, "tenant") for number in (0, 1, 2)] == ["0 tenants", "1 tenant", "2 tenants"]
    assert [words.days_left(days) for days in (-1, 0, 89)] == ["expired", "0d", "89d"]
    assert [words.some_of(texts) for texts in ([], ["a"], ["a", "b", "c"])] == ["<none>", "a", "a + 2 more"]
    assert [words.findings(*numbers) for numbers in ((0, 0), (1, 0), (0, 2), (2, 1))] == [
        "<none>",
        "1 error",
        "2 warnings",
        "2 errors, 1 warning",
    ]


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        (GatewayView(addresses=("a:80", "b:80"), protocol="http"), ["a:80, b:80 (http)"]),
        (
            GatewayView(addresses=("a:443",), protocol="https", server_name="g.example"),
            ["a:443 (https, certificate for g.example)"],
        ),
        (
            GatewayView(addresses=("s.ns.svc:80",), protocol="http", service="ns/s", endpoints=("10.0.0.1:80",)),
            ["s.ns.svc:80 (http)", "endpoints 10.0.0.1:80"],
        ),
        (
            GatewayView(addresses=(), protocol="http", service="ns/s", endpoints=()),
            ["Service ns/s (http)", "endpoints <none>"],
        ),
    ],
)
def test_gateways(gateway: GatewayView, expected: list[str]) -> None:
    assert words.gateway(gateway) == expected


def test_settings() -> None:
    assert words.limits(Limits(requests_per_second=5, request_body_bytes=7)) == (
        "request body 7 bytes, rate 5 requests per second, concurrent requests unlimited"
    )
    assert words.timeouts(Timeouts(connect=0.5)) == "connect 0.5 s, first byte 300 s, idle 300 s"
