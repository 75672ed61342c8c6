"""Optimistic concurrency: what was decided on an object that somebody else changed meanwhile is decided anew.
https://github.com/kubernetes/community/blob/main/contributors/devel/sig-architecture/api-conventions.md
– Concurrency Control and Consistency"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from entryproxy.kubernetes.errors import ApiError

_TRIES_MAX = 5  # as client-go's RetryOnConflict
_OUTDATED = frozenset({"Conflict", "Invalid"})
"""What another version or another owner of a field, and another uid, are refused with."""


async def retry_on_conflict(write: Callable[[], Awaitable[None]]) -> None:
    """write: reads, decides and writes, each time anew; it writes where it stands only on what it has read.

    Raises ApiError: the last conflict's, or at once any other.
    """
    for _ in range(_TRIES_MAX - 1):
        try:
            return await write()
        except ApiError as error:
            if error.reason not in _OUTDATED:
                raise
    return await write()
