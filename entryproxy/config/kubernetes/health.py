"""Whether a collection is out of reach, since when and why, in words for an operator."""

from __future__ import annotations

from datetime import UTC, datetime

from entryproxy.config.kubernetes.resources import Resource
from entryproxy.kubernetes.errors import FORBIDDEN, ApiError
from entryproxy.model.finding import Finding

GRACE_SECONDS = 2.0
"""A connection that is cut and comes back within that is not worth a word, once there has been a first list."""


class Health:
    """Of one collection. finding: what to say, None while it is in reach. Times are Unix seconds."""

    def __init__(self, resource: Resource) -> None:
        self.finding: Finding | None = None
        self._resource = resource
        self._since: float | None = None
        self._was_reached = False

    @property
    def is_forbidden(self) -> bool:
        """Whether a permission is missing."""
        return self.finding is not None and self.finding.reason == "Forbidden"

    def recovered(self) -> bool:
        """A list or a watch succeeded; whether that is news."""
        was, self.finding, self._since, self._was_reached = self.finding, None, None, True
        return was is not None

    def failed(self, verb: str, problem: ApiError, now: float) -> bool:
        """`verb` ("list", "watch") failed; whether there is something new to say."""
        if self._since is None:
            self._since = now
        if problem.status != FORBIDDEN and self._was_reached and now - self._since < GRACE_SECONDS:
            return False
        was, self.finding = self.finding, self._explain(verb, problem, self._since)
        return was != self.finding

    def _explain(self, verb: str, problem: ApiError, since: float) -> Finding:
        permission = f"{verb} {self._resource.permission}"
        if problem.status == FORBIDDEN:
            reason, why = "Forbidden", f'Not allowed to {permission} ("kubectl auth can-i {permission}"): '
        else:
            reason, why = "UnreachableCluster", ""
        start = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        consequence = (
            "what was good before, if anything, stays in force"
            if self._resource.is_vital
            else "gateways with balance: endpoints keep the pods they have, or are dialled by the Service's name"
        )
        return Finding(
            severity="error" if self._resource.is_vital else "warning",
            reason=reason,
            object=self._resource.reference,
            field="",
            message=f"{why}{problem.message.rstrip('.')}; since {start}; {consequence}",
        )
