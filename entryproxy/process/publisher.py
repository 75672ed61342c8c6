"""Brings every worker from the snapshot it has to the newest one.

A worker has at most one change under way. When it acknowledges, it is sent the difference to whatever is newest by
then, so a slow worker skips what it missed, never holds up another one, and never makes changes pile up here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.process import messages
from entryproxy.process.ledger import BudgetSlots, Ledger

_UNCONFIRMED_MAX = 1024


class Subscriber:
    """One worker as the publisher sees it.

    acknowledged: the generation in force there, 0 for none. confirmed: the snapshot it has, None if it must start from
    nothing. under_way: what it was sent and has not answered for. refused: the generation it could not put in force.
    """

    __slots__ = ("acknowledged", "confirmed", "refused", "send", "under_way")

    def __init__(self, send: Callable[[bytes], None], acknowledged: int) -> None:
        self.send = send
        self.acknowledged = acknowledged
        self.confirmed: Snapshot | None = None
        self.under_way: Snapshot | None = None
        self.refused = 0


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

    def publish(self, platform: Platform, tenants: Iterable[Tenant], seen_at: float) -> bool:
        """Make these the newest snapshot and send it out; False when nothing differs from the one before."""
        wanted = {tenant.id: tenant for tenant in map(self._with_budget, tenants)}
        if self.snapshot is None:
            self.snapshot = Snapshot.build(platform, wanted.values(), self._ledger.next_generation())
        else:
            change = _difference(self.snapshot, platform, wanted)
            if change is None:
                return False
            self.snapshot = self.snapshot.apply(
                msgspec.structs.replace(change, generation=self._ledger.next_generation())
            )
        self._budgets.keep_only({tenant.id for tenant in wanted.values() if tenant.budget_slot >= 0})
        self._unconfirmed.append((self.snapshot.generation, seen_at))
        encoded: dict[int, bytes] = {}
        for subscriber in self._subscribers:
            self._advance(subscriber, encoded)
        return True

    def join(self, subscriber: Subscriber) -> None:
        """A worker is there; it gets everything."""
        self._subscribers.add(subscriber)
        self._advance(subscriber, {})

    def leave(self, subscriber: Subscriber, now: float) -> None:
        """A worker is gone; changes no longer wait for it."""
        self._subscribers.discard(subscriber)
        self._confirm(now)

    def applied(self, subscriber: Subscriber, generation: int, now: float) -> None:
        """A worker has put what it was sent in force."""
        if subscriber.under_way is None or subscriber.under_way.generation != generation:
            return  # an answer to an earlier control process
        subscriber.acknowledged = generation
        subscriber.confirmed, subscriber.under_way = subscriber.under_way, None
        self._confirm(now)
        self._advance(subscriber, {})

    def refused(self, subscriber: Subscriber, generation: int) -> None:
        """A worker could not put it in force. It starts from nothing at the next change, not before: no hot loop."""
        subscriber.confirmed = subscriber.under_way = None
        subscriber.refused = generation
        self._advance(subscriber, {})

    def _advance(self, subscriber: Subscriber, encoded: dict[int, bytes]) -> None:
        """Send what it lacks to a worker with nothing under way.

        encoded: changes to the newest snapshot made before, by the generation they start from.
        """
        newest = self.snapshot
        if newest is None or subscriber.under_way is not None:
            return
        base = subscriber.confirmed
        if base is newest or subscriber.refused == newest.generation:
            return
        start = base.generation if base else 0
        payload = encoded.get(start)
        if payload is None:
            change = base.difference(newest) if base else newest.as_change()
            payload = encoded[start] = messages.encode(messages.Publish(change))
        subscriber.under_way = newest
        subscriber.send(payload)

    def _confirm(self, now: float) -> None:
        if not self._subscribers:
            return
        everywhere = min(subscriber.acknowledged for subscriber in self._subscribers)
        while self._unconfirmed and self._unconfirmed[0][0] <= everywhere:
            self._on_in_force(now - self._unconfirmed.popleft()[1])

    def _with_budget(self, tenant: Tenant) -> Tenant:
        limits = tenant.limits
        if not limits.requests_per_second and not limits.connections:
            return tenant
        return msgspec.structs.replace(tenant, budget_slot=self._budgets.row_of(tenant.id))


def _difference(old: Snapshot, platform: Platform, tenants: dict[str, Tenant]) -> Change | None:
    """What leads from `old` to these tenants, without building their indexes first; None when they are the same."""
    changed = tuple(one for key, one in tenants.items() if (known := old.tenants.get(key)) is not one and known != one)
    removed = tuple(key for key in old.tenants if key not in tenants)
    if platform == old.platform and not changed and not removed:
        return None
    return Change(
        generation=old.generation,
        platform=None if platform == old.platform else platform,
        tenants=changed,
        removed=removed,
    )
