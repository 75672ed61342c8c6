"""Helm's revisions, simulated, under plan(): wherever it is stopped, the end is a good one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from entryproxy.model.status import Attempt
from entryproxy.provision.actions import (
    DropFinalizer,
    EnsureFinalizer,
    InstallRelease,
    Plan,
    RollbackRelease,
    UninstallRelease,
    UpgradeRelease,
)
from entryproxy.provision.plan import back_off_seconds, plan
from entryproxy.provision.revisions import is_foreign, plan_release
from entryproxy.provision.state import HELM_STATUSES, Observed, Revision, Rollout
from tests.provision.worlds import NAMESPACE_MANIFEST, NOW, desired, observed, release, revisions, state

Fate = Literal["works", "fails", "stopped before", "stopped midway", "stopped before the last write", "twin lives"]
FATES: list[Fate] = [
    "works",
    "fails",
    "stopped before",
    "stopped midway",
    "stopped before the last write",
    "twin lives",
]
ROUNDS_MAX = 60


class Helm:
    """The revisions of one release as Helm 4 leaves them. bad: digests whose upgrades always fail."""

    def __init__(self, fates: list[Fate], bad: set[str]) -> None:
        self.revisions: dict[int, Revision] = {}
        self.rollbacks = 0
        self.bad = bad
        self.fates: Iterator[Fate] = iter(fates)

    def run(self, action: object) -> bool:
        """Whether it succeeded."""
        fate: Fate = next(self.fates, "works")
        if fate == "stopped before":
            return False
        match action:
            case InstallRelease(release=wanted):
                return self._revise("pending-install", wanted.digest, fate)
            case UpgradeRelease(release=wanted, from_revision=number):
                assert number == max(self.revisions)
                highest = self.revisions[number].status
                assert not highest.startswith("pending"), "another operation is in progress"
                assert self._deployed() or highest in ("failed", "superseded"), "has no deployed releases"
                return self._revise("pending-upgrade", wanted.digest, fate)
            case RollbackRelease(to_revision=number):
                self.rollbacks += 1
                return self._revise("pending-rollback", self.revisions[number].digest, fate)
            case UninstallRelease():
                return self._uninstall(fate)
        raise AssertionError(action)

    def _revise(self, pending: HELM_STATUSES, digest: str, fate: Fate) -> bool:
        number, before = max(self.revisions, default=0) + 1, self._deployed()
        highest = number - 1
        self._put(number, pending, digest)
        if fate == "stopped midway":
            return False
        if fate == "fails" or digest in self.bad:
            if pending == "pending-rollback" and self.revisions[highest].status == "failed":
                self._put(highest, "superseded")
            self._put(number, "failed")
            return False
        # An upgrade supersedes the last deployed revision only, a rollback all of them.
        for old in before if pending == "pending-rollback" else before[-1:]:
            if fate != "twin lives":
                self._put(old, "superseded")
        if fate == "stopped before the last write":
            return False
        self._put(number, "deployed")
        return True

    def _uninstall(self, fate: Fate) -> bool:
        if fate in ("fails", "stopped midway"):
            self._put(max(self.revisions), "uninstalling")
            return False
        self.revisions.clear()
        return True

    def _put(self, number: int, status: HELM_STATUSES, digest: str | None = None) -> None:
        digest = self.revisions[number].digest if digest is None else digest
        self.revisions[number] = Revision(number=number, status=status, digest=digest)

    def _deployed(self) -> list[int]:
        return [number for number, each in sorted(self.revisions.items()) if each.status == "deployed"]


class Tenant:
    """Carries out plans. Objects are always in place, the gateway is always available; a failure is written down
    unless the controller was stopped (`forgets`)."""

    def __init__(self, fates: list[Fate], bad: set[str], forgets: set[int]) -> None:
        self.helm = Helm(fates, bad)
        self.now = NOW
        self.attempt = Attempt()
        self.has_finalizer = False
        self.is_removed = False
        self._forgets = forgets
        self._operations = 0

    def observe(self) -> Observed:
        return observed(
            namespace=state(NAMESPACE_MANIFEST) if not self.is_removed else None,
            objects=() if self.is_removed else observed().objects,
            revisions=tuple(self.helm.revisions.values()),
            attempt=self.attempt,
            has_finalizer=self.has_finalizer,
            is_removed=self.is_removed,
            is_withdrawn=True,
            rollout=Rollout(is_serving=True),
        )

    def settle(self, digest: str | None, *, also_waits: bool) -> Plan:
        """Rounds until nothing is to be done; through the waits if it should."""
        for _ in range(ROUNDS_MAX):
            made = plan(None if digest is None else desired(digest), self.observe(), self.now)
            if not made.actions:
                if not also_waits or made.next_at is None:
                    return made
                self.now = made.next_at
            for action in made.actions:
                if not self._carry_out(action, digest):
                    break
        raise AssertionError(f"never quiet: {made} {self.helm.revisions}")

    def _carry_out(self, action: object, digest: str | None) -> bool:
        if isinstance(action, EnsureFinalizer | DropFinalizer):
            self.has_finalizer = isinstance(action, EnsureFinalizer)
            return True
        worked = self.helm.run(action)
        self._operations += 1
        if digest is not None and not worked and self._operations not in self._forgets:
            failures = self.attempt.failures + 1 if self.attempt.digest == digest else 1
            not_before = self.now + back_off_seconds(failures, 0.5)
            self.attempt = Attempt(digest=digest, failures=failures, not_before=not_before, message="It failed.")
        elif worked and isinstance(action, InstallRelease | UpgradeRelease):
            self.attempt = Attempt()
        return worked

    def statuses(self) -> list[str]:
        return [f"{each.status} {each.digest}" for _, each in sorted(self.helm.revisions.items())]


MISHAPS = st.lists(st.sampled_from(FATES), max_size=10)
FORGOTTEN = st.sets(st.integers(1, 12), max_size=4)


@settings(max_examples=400)
@given(fates=MISHAPS, forgets=FORGOTTEN, wishes=st.lists(st.sampled_from(["D1", "D2", "D3"]), min_size=1, max_size=4))
def test_when_the_mishaps_end_the_wish_is_deployed(fates: list[Fate], forgets: set[int], wishes: list[str]) -> None:
    tenant = Tenant(fates, set(), forgets)
    for wish in wishes[:-1]:
        tenant.settle(wish, also_waits=False)
    made = tenant.settle(wishes[-1], also_waits=True)
    assert (made.phase, made.reason) == ("Ready", "Ready")
    assert tenant.statuses()[-1] == f"deployed {wishes[-1]}"
    assert sum(status.startswith("deployed") for status in tenant.statuses()) == 1


@settings(max_examples=400)
@given(fates=MISHAPS, forgets=FORGOTTEN, tries=st.integers(1, 5))
def test_a_wish_that_never_works_leaves_the_last_one_deployed(fates: list[Fate], forgets: set[int], tries: int) -> None:
    tenant = Tenant([], {"BAD"}, forgets)
    assert tenant.settle("D1", also_waits=True).phase == "Ready"
    tenant.helm.fates = iter([fate for fate in fates if fate != "twin lives"])
    for _ in range(tries + len(fates)):
        made = tenant.settle("BAD", also_waits=False)
        assert (made.phase, made.next_at) == ("Failed", tenant.attempt.not_before)
        tenant.now = tenant.attempt.not_before
    assert tenant.settle("BAD", also_waits=False).phase == "Failed"
    deployed = [status for status in tenant.statuses() if status.startswith("deployed")]
    assert deployed == ["deployed D1"]
    made_back = tenant.settle("D1", also_waits=True)
    assert made_back.phase == "Ready"


@given(tries=st.integers(1, 6))
def test_each_failed_try_is_rolled_back_once(tries: int) -> None:
    tenant = Tenant([], {"BAD"}, set())
    tenant.settle("D1", also_waits=False)
    for done in range(1, tries + 1):
        tenant.settle("BAD", also_waits=False)
        assert tenant.helm.rollbacks == done
        tenant.settle("BAD", also_waits=False)
        assert tenant.helm.rollbacks == done, "none while it waits"
        tenant.now = tenant.attempt.not_before


@settings(max_examples=200)
@given(fates=MISHAPS, wish=st.sampled_from(["D1", "BAD"]))
def test_removal_always_ends(fates: list[Fate], wish: str) -> None:
    tenant = Tenant(fates, {"BAD"}, set())
    tenant.settle(wish, also_waits=False)
    tenant.is_removed = True
    assert tenant.settle(None, also_waits=False).phase == "Removed"
    assert (tenant.helm.revisions, tenant.has_finalizer) == ({}, False)
    tenant.is_removed = False
    assert tenant.settle("D2", also_waits=True).phase == "Ready"
    assert tenant.statuses()[-1] == "deployed D2"


def test_order_of_revisions_does_not_matter() -> None:
    there = observed("1 superseded D1", "2 deployed D1", "3 pending-upgrade D2")
    mixed = msgspec.structs.replace(there, revisions=there.revisions[::-1])
    assert plan_release(release(), there, NOW) == plan_release(release(), mixed, NOW)


def test_foreign_is_what_never_carried_our_digest() -> None:
    assert is_foreign(revisions("1 superseded", "2 deployed"))
    assert not is_foreign(revisions("1 superseded D1", "2 deployed"))
    assert not is_foreign(())
