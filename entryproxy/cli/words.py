"""Numbers, ages and settings for people, where kubectl has a word for it in that one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from entryproxy.model.tenant import Limits, Timeouts
from entryproxy.routing.explain import GatewayView

NONE = "<none>"
UNKNOWN = "<unknown>"
_UNITS = (("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def count(number: int, noun: str) -> str:
    """1 tenant, 2 tenants."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def age(created: str, now: float) -> str:
    """Since an RFC 3339 time, in the largest unit of which there are two: "47h", "5d". now: Unix seconds."""
    if not created:
        return UNKNOWN
    seconds = max(0, int(now - datetime.fromisoformat(created).timestamp()))
    unit, length = next((one for one in _UNITS if seconds >= 2 * one[1]), _UNITS[-1])
    return f"{seconds // length}{unit}"


def days_left(days: int) -> str:
    """How long a certificate is still valid."""
    return "expired" if days < 0 else f"{days}d"


def some_of(texts: Sequence[str]) -> str:
    """The first one, and how many more."""
    if not texts:
        return NONE
    return texts[0] if len(texts) == 1 else f"{texts[0]} + {len(texts) - 1} more"


def findings(errors: int, warnings: int) -> str:
    """How many of each."""
    parts = [count(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return ", ".join(parts) or NONE


def gateway(one: GatewayView) -> list[str]:
    """What is dialled, and the pods behind it where they are known."""
    verified = f", certificate for {one.server_name}" if one.server_name else ""
    lines = [f"{', '.join(one.addresses) or f'Service {one.service}'} ({one.protocol}{verified})"]
    if one.endpoints is not None:
        lines.append(f"endpoints {', '.join(one.endpoints) or NONE}")
    return lines


def limits(one: Limits) -> str:
    """Every limit, in a line."""
    parts = (
        ("request body", one.request_body_bytes, "bytes"),
        ("rate", one.requests_per_second, "requests per second"),
        ("concurrent requests", one.connections, ""),
    )
    return ", ".join(f"{name} {f'{value} {unit}'.strip() if value else 'unlimited'}" for name, value, unit in parts)


def timeouts(one: Timeouts) -> str:
    """Every timeout, in a line."""
    return f"connect {one.connect:g} s, first byte {one.first_byte:g} s, idle {one.idle:g} s"
