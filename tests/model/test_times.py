from __future__ import annotations

from entryproxy.model.times import rfc3339


def test_times_are_readable_and_bounded() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1e18) == "9999-12-31T23:59:59Z"
    assert rfc3339(-1e18) == "0001-01-01T00:00:00Z"
