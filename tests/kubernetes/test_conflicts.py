from __future__ import annotations

import pytest

from entryproxy.kubernetes.conflicts import retry_on_conflict
from entryproxy.kubernetes.errors import ApiError


class Write:
    """Refused with one reason after the other, then accepted."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        self.tries = 0

    async def __call__(self) -> None:
        self.tries += 1
        if self.reasons:
            raise ApiError(409, self.reasons.pop(0), "no")


@pytest.mark.parametrize("reasons", [(), ("Conflict",), ("Invalid", "Conflict", "Conflict", "Invalid")])
async def test_what_is_out_of_date_is_decided_anew(reasons: tuple[str, ...]) -> None:
    write = Write(*reasons)
    await retry_on_conflict(write)
    assert write.tries == len(reasons) + 1


@pytest.mark.parametrize(
    ("reasons", "tries"), [(("Forbidden",), 1), (("Conflict", "NotFound"), 2), (["Conflict"] * 9, 5)]
)
async def test_what_stays_refused_is_told(reasons: tuple[str, ...], tries: int) -> None:
    write = Write(*reasons)
    with pytest.raises(ApiError, match="no"):
        await retry_on_conflict(write)
    assert write.tries == tries
