"""Times as people and Kubernetes write them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Unix seconds as "2026-01-31T12:00:00Z"; cut to the years 1 to 9999."""
    bounded = min(max(seconds, -62_135_596_800.0), 253_402_300_799.0)
    return datetime.fromtimestamp(bounded, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
