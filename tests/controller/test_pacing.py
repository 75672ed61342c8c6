from __future__ import annotations

import msgspec
import pytest

from entryproxy.controller.pacing import Pacing
from entryproxy.provision.actions import (
    Action,
    DeleteNamespace,
    DropFinalizer,
    InstallRelease,
    Plan,
    RollbackRelease,
    UninstallRelease,
    UpgradeRelease,
)
from entryproxy.provision.plan import BACK_OFF_SECONDS_MIN
from entryproxy.provision.statuses import Outcome
from tests.provision.worlds import release

NOW = 1_000.0
STANDING = Plan(phase="Ready", reason="Ready", message="")
WAITING = Plan(phase="Provisioning", reason="GatewayNotReady", message="", next_at=NOW + 5)
NOTHING = Outcome()
DONE = Outcome(done=(DeleteNamespace("a"),))
FAILED = Outcome(failed=DropFinalizer(), reason="Unreachable", error="No.")


def pacing() -> Pacing:
    return Pacing(100.0, lambda: 1.0)


def test_a_plan_says_when() -> None:
    assert pacing().after("a", WAITING, NOTHING, NOW) == 5
    assert pacing().after("a", WAITING, NOTHING, NOW + 9) == 0
    assert pacing().after("a", STANDING, NOTHING, NOW) == pacing().regular() == 125
    assert pacing().after("a", msgspec.structs.replace(WAITING, next_at=NOW + 600), NOTHING, NOW) == 125


def test_what_was_done_is_looked_at_at_once_unless_it_was_done_before() -> None:
    pace = pacing()
    assert pace.after("a", STANDING, DONE, NOW) == 0
    assert pace.after("a", STANDING, DONE, NOW) == BACK_OFF_SECONDS_MIN
    assert pace.after("a", STANDING, DONE, NOW) == 2 * BACK_OFF_SECONDS_MIN
    assert pace.after("a", STANDING, NOTHING, NOW) == 125
    assert pace.after("a", STANDING, DONE, NOW) == 0


def test_failures_back_off_and_each_tenant_for_itself() -> None:
    pace = pacing()
    assert [pace.after("a", STANDING, FAILED, NOW) for _ in range(3)] == [10, 20, 40]
    assert pace.after("b", STANDING, FAILED, NOW) == 10
    assert pace.after_failure("a") == 80
    pace.forget("a")
    assert pace.after_failure("a") == 10


@pytest.mark.parametrize("action", [InstallRelease(release("D1")), UpgradeRelease(release("D1"), 1)])
def test_a_release_that_failed_is_looked_at_at_once(action: InstallRelease | UpgradeRelease) -> None:
    """Its status says when the same is tried again, and the next plan mends it meanwhile."""
    pace = pacing()
    assert [pace.after("a", STANDING, failure_of_release(action), NOW) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    "action", [RollbackRelease("a", "a", 1, "UpgradeFailed", "higress-gateway"), UninstallRelease("a", "a")]
)
def test_what_helm_can_not_undo_is_tried_less_and_less_often(action: RollbackRelease | UninstallRelease) -> None:
    """No status holds these back: the next plan is the same one."""
    pace = pacing()
    assert [pace.after("a", STANDING, failure_of_release(action), NOW) for _ in range(3)] == [10, 20, 40]


def failure_of_release(action: Action) -> Outcome:
    return Outcome(failed=action, reason="Failed", error="No.", is_release_failure=True)
