"""Pure: how long entries have had to stop serving a tenant, and to drain, before its gateway may go."""

from __future__ import annotations

from collections.abc import Sequence

from entryproxy.controller.holders import Holder


class Withdrawals:
    """Remembers since when ConfigMaps are going that aren't deleted, such as one without its label. seconds: how long
    entries get."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[str, dict[str, float]] = {}

    def is_over(self, tenant: str, going: Sequence[Holder], now: float) -> bool:
        """Whether all that are going have been for long enough. Call it in every round: what isn't going any more, or
        is gone, is forgotten. now: Unix seconds."""
        known = self._since.pop(tenant, {})
        since = {one.uid: known.get(one.uid, min(one.deleted_at or now, now)) for one in going}
        if not since:
            return False
        self._since[tenant] = since
        return now >= max(since.values()) + self._seconds
