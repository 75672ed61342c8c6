"""A list that drops most of what was there is not believed until a second one says the same.

A lagging replica, an etcd restored empty or a selector that a proxy lost would otherwise take every tenant down. What a
watch deletes, it deletes by name: that is always believed.
"""

from __future__ import annotations

CONFIRM_SECONDS = 2.0
"""Until the second list, before jitter."""


class DropGuard:
    """For one kind of objects."""

    def __init__(self) -> None:
        self._is_doubting = False

    def believes(self, known: int, missing: int) -> bool:
        """Whether a list that lacks `missing` of the `known` objects takes effect; if not, the next one will."""
        if 2 * missing <= known:
            self._is_doubting = False
            return True
        self._is_doubting = not self._is_doubting
        return not self._is_doubting
