"""Brings every worker from the snapshot it has to the newest one.

A worker has at most one change under way. When it acknowledges, it is sent what has changed since, so a slow worker
skips what it missed, never holds up another one, and never makes more than tenant ids pile up here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

import msgspec

from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.process import messages
from entryproxy.process.ledger import BudgetSlots, Ledger

LACKS_MAX = 131_072
"""So many ids may pile up for a worker that doesn't answer; it then starts from nothing."""
_UNCONFIRMED_MAX = 1024


class Subscriber:
    """One worker as the publisher sees it.

    acknowledged: the generation in force there, 0 for none. confirmed: the generation that the next change starts from,
    0 when it must start from nothing. under_way: what it was sent and has not answered for, 0 for nothing. refused: the
    generation it could not put in force. lacks, lacks_platform: what differs between `confirmed`, or what is under way,
    and the newest snapshot.
    """

    __slots__ = ("acknowledged", "confirmed", "lacks", "lacks_platform", "refused", "send", "under_way")

    def __init__(self, send: Callable[[bytes], None], acknowledged: int) -> None:
        self.send = send
        self.acknowledged = acknowledged
        self.confirmed = 0
        self.under_way = 0
        self.refused = 0
        self.lacks: set[str] = set()
        self.lacks_platform = False

    def note(self, change: Change) -> None:
        """There is something newer."""
        if len(self.lacks) <= LACKS_MAX:
            self.lacks.update(change.removed, (tenant.id for tenant in change.tenants))
        self.lacks_platform |= change.platform is not None

    def is_at(self, generation: int) -> None:
        """The worker has this whole snapshot, the newest one, in force."""
        self.confirmed = generation
        self.lacks.clear()
        self.lacks_platform = False


class Publisher:
    """Owns the newest snapshot. Times are seconds of one monotonic clock.

    on_in_force: called with the seconds from a change seen to that change in force in every worker.
    """

    def __init__(self, ledger: Ledger, budgets: BudgetSlots, on_in_force: Callable[[float], None]) -> None:
        self._ledger = ledger
        self._budgets = budgets
        self._on_in_force = on_in_force
        self._subscribers: set[Subscriber] = set()
        self._unconfirmed: deque[tuple[int, float]] = deque(maxlen=_UNCONFIRMED_MAX)
        self.snapshot: Snapshot | None = None

    def resume(self, running: Snapshot) -> None:
        """Before the first `publish`: workers serve with this already, so that only what differs from it travels.

        Those that don't, because they are new or were slow, get it now: nothing else may ever be published.
        """
        self.snapshot = running
        self._budgets.keep_only({key for key, one in running.tenants.items() if one.budget_slot >= 0})
        encoded: dict[int, bytes] = {}
        for subscriber in self._subscribers:
            self._welcome(subscriber)
            self._advance(subscriber, encoded)

    def publish(
        self, platform: Platform, tenants: Mapping[str, Tenant], touched: Iterable[str], seen_at: float
    ) -> bool:
        """Make these the newest snapshot and send it out; False when nothing differs from the one before.

        touched: ids of all tenants that may differ; the first time everything does.
        """
        if self.snapshot is None:
            everybody = tuple(map(self._with_budget, tenants.values()))
            self.snapshot = Snapshot.build(platform, everybody, self._ledger.next_generation())
            self._budgets.keep_only({one.id for one in everybody if one.budget_slot >= 0})
        else:
            change = self._difference(self.snapshot, platform, tenants, touched)
            if change is None:
                return False
            self.snapshot = self.snapshot.apply(change)
            for subscriber in self._subscribers:
                subscriber.note(change)
        self._unconfirmed.append((self.snapshot.generation, seen_at))
        encoded: dict[int, bytes] = {}
        for subscriber in self._subscribers:
            self._advance(subscriber, encoded)
        return True

    def join(self, subscriber: Subscriber) -> None:
        """A worker is there; it gets everything that it hasn't in force already."""
        self._subscribers.add(subscriber)
        self._welcome(subscriber)
        self._advance(subscriber, {})

    def leave(self, subscriber: Subscriber, now: float) -> None:
        """A worker is gone; changes no longer wait for it."""
        self._subscribers.discard(subscriber)
        self._confirm(now)

    def applied(self, subscriber: Subscriber, generation: int, now: float) -> None:
        """A worker has put what it was sent in force."""
        if subscriber.under_way != generation:
            return  # an answer to an earlier control process
        subscriber.acknowledged = generation
        subscriber.confirmed = generation if len(subscriber.lacks) <= LACKS_MAX else 0
        subscriber.under_way = 0
        self._confirm(now)
        self._advance(subscriber, {})

    def refused(self, subscriber: Subscriber, generation: int) -> None:
        """A worker could not put it in force. It starts from nothing at the next change, not before: no hot loop."""
        subscriber.confirmed = subscriber.under_way = 0
        subscriber.refused = generation
        self._advance(subscriber, {})

    def _welcome(self, subscriber: Subscriber) -> None:
        """Generations are given out once, so a worker that names the newest one has just that."""
        if self.snapshot is not None and subscriber.acknowledged == self.snapshot.generation:
            subscriber.is_at(self.snapshot.generation)

    def _advance(self, subscriber: Subscriber, encoded: dict[int, bytes]) -> None:
        """Send what it lacks to a worker with nothing under way.

        encoded: changes to the newest snapshot made before, by the generation they start from.
        """
        newest = self.snapshot
        if newest is None or subscriber.under_way:
            return
        start = subscriber.confirmed
        if newest.generation in (start, subscriber.refused):
            return
        payload = encoded.get(start)
        if payload is None:
            change = _missing(subscriber, newest) if start else newest.as_change()
            payload = encoded[start] = messages.encode(messages.Publish(change))
        subscriber.is_at(start)
        subscriber.under_way = newest.generation
        subscriber.send(payload)

    def _confirm(self, now: float) -> None:
        if not self._subscribers:
            return
        everywhere = min(subscriber.acknowledged for subscriber in self._subscribers)
        while self._unconfirmed and self._unconfirmed[0][0] <= everywhere:
            self._on_in_force(now - self._unconfirmed.popleft()[1])

    def _difference(
        self, old: Snapshot, platform: Platform, tenants: Mapping[str, Tenant], touched: Iterable[str]
    ) -> Change | None:
        """What leads from `old` to these tenants; None when they are the same."""
        changed: list[Tenant] = []
        removed: list[str] = []
        for key in touched:
            before, now = old.tenants.get(key), tenants.get(key)
            if now is not None:
                wanted = self._with_budget(now)
                if wanted is not before and wanted != before:
                    changed.append(wanted)
                    if wanted.budget_slot < 0:
                        self._budgets.release(key)
            elif before is not None:
                removed.append(key)
                self._budgets.release(key)
        new_platform = None if platform is old.platform or platform == old.platform else platform
        if not changed and not removed and new_platform is None:
            return None
        return Change(
            generation=self._ledger.next_generation(),
            platform=new_platform,
            tenants=tuple(changed),
            removed=tuple(removed),
        )

    def _with_budget(self, tenant: Tenant) -> Tenant:
        limits = tenant.limits
        if not limits.requests_per_second and not limits.connections:
            return tenant
        return msgspec.structs.replace(tenant, budget_slot=self._budgets.row_of(tenant.id))


def _missing(subscriber: Subscriber, newest: Snapshot) -> Change:
    tenants = newest.tenants
    return Change(
        generation=newest.generation,
        platform=newest.platform if subscriber.lacks_platform else None,
        tenants=tuple(tenants[key] for key in subscriber.lacks if key in tenants),
        removed=tuple(key for key in subscriber.lacks if key not in tenants),
    )
