"""How long to wait before the next try: longer from failure to failure, never in step with others, as the server asks.

Exponential with jitter, after https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full
jitter"), with a floor so that nobody is hammered.
"""

from __future__ import annotations

from collections.abc import Callable

from entryproxy.kubernetes.errors import FORBIDDEN, UNAUTHORIZED, ApiError

SECONDS_MIN = 0.2
SECONDS_MAX = 30.0
UNAUTHORIZED_SECONDS_MAX = 5.0
"""A rotated token comes soon."""
FORBIDDEN_SECONDS_MAX = 10.0
"""A person mends that, and waits for it; or an API server that has just started has not read its rules yet."""
RETRY_AFTER_SECONDS_MAX = 60.0
STEADY_SECONDS = 10.0
"""What has worked for so long has recovered: its next failure is a first one."""
JITTER = 0.2
_CEILINGS = {UNAUTHORIZED: UNAUTHORIZED_SECONDS_MAX, FORBIDDEN: FORBIDDEN_SECONDS_MAX}


class Backoff:
    """The waits of one client. Times are in seconds of any monotonic clock."""

    def __init__(self, random: Callable[[], float]) -> None:
        """random: uniform in [0, 1)."""
        self._random = random
        self._failures = 0
        self._working_since: float | None = None

    def succeeded(self, now: float) -> None:
        """It works (again)."""
        if self._working_since is None:
            self._working_since = now

    def failed(self, problem: ApiError, now: float) -> float:
        """How long to wait."""
        if self._working_since is not None and now - self._working_since >= STEADY_SECONDS:
            self._failures = 0
        self._working_since = None
        ceiling = _CEILINGS.get(problem.status, SECONDS_MAX)
        self._failures = min(self._failures + 1, 32)
        wait = SECONDS_MIN + self._random() * (min(ceiling, SECONDS_MIN * 2.0**self._failures) - SECONDS_MIN)
        if problem.retry_after_seconds is None:
            return wait
        return max(wait, self.jittered(min(problem.retry_after_seconds, RETRY_AFTER_SECONDS_MAX)))

    def jittered(self, seconds: float) -> float:
        """At least so long, up to a fifth longer."""
        return seconds * (1 + JITTER * self._random())
