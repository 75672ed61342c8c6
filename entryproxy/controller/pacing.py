"""When a tenant is looked at again."""

from __future__ import annotations

import random
from collections.abc import Callable

from entryproxy.provision.actions import InstallRelease, Plan, UpgradeRelease
from entryproxy.provision.plan import back_off_seconds
from entryproxy.provision.statuses import Outcome


class Pacing:
    """Remembers which tenants get nowhere. regular_seconds: between looks at one of which nobody hears anything.
    chance: uniform in [0, 1)."""

    def __init__(self, regular_seconds: float, chance: Callable[[], float] = random.random) -> None:
        self._regular_seconds = regular_seconds
        self._chance = chance
        self._failures: dict[str, int] = {}
        self._done: dict[str, tuple[str, ...]] = {}

    def after(self, tenant: str, plan: Plan, outcome: Outcome, now: float) -> float:
        """In how many seconds the next round comes. now: Unix seconds.

        What was done is looked at at once. Doing the very same again means that it didn't help, as when somebody
        undoes it each time; such a tenant waits as after a failure. A release that failed has a time of its own, which
        its next plan says; one that can't be undone or taken away has none.
        """
        if outcome.failed is not None and not _has_own_time(outcome):
            return self.after_failure(tenant)
        done = tuple(action.describe() for action in outcome.done)
        if done and self._done.get(tenant) == done:
            return self.after_failure(tenant)
        self._failures.pop(tenant, None)
        self._done[tenant] = done
        if done or outcome.failed is not None:
            return 0.0
        return min(self.regular(), max(plan.next_at - now, 0.0) if plan.next_at is not None else self.regular())

    def after_failure(self, tenant: str) -> float:
        """In how many seconds to try again what failed for another reason than the release."""
        self._failures[tenant] = self._failures.get(tenant, 0) + 1
        return back_off_seconds(self._failures[tenant], self._chance())

    def regular(self) -> float:
        """In how many seconds to look again at one of which nobody hears anything: not all at the same time."""
        return self._regular_seconds * (0.75 + self._chance() / 2)

    def forget(self, tenant: str) -> None:
        """There is nothing more to do for it."""
        self._failures.pop(tenant, None)
        self._done.pop(tenant, None)


def _has_own_time(outcome: Outcome) -> bool:
    """Whether the tenant's status now says when the same is tried again, so that no plan has it before."""
    return outcome.is_release_failure and isinstance(outcome.failed, InstallRelease | UpgradeRelease)
