from __future__ import annotations

import msgspec
import pytest

from entryproxy.model.status import Condition
from entryproxy.provision.conditions import MESSAGE_LENGTH_MAX, conditions
from entryproxy.provision.plan import plan
from entryproxy.provision.state import Observed, Rollout
from tests.provision.worlds import NOW, desired, failing, observed

SERVES = Rollout(is_serving=True)

CASES = {
    "nothing yet": (Observed(), "False Installing", "False Installing", "True Installing"),
    "gateway starting": (
        observed("1 deployed D2"), "False GatewayNotReady", "True Deployed", "True GatewayNotReady",
    ),
    "serving": (observed("1 deployed D2", rollout=SERVES), "True GatewayReady", "True Ready", "False Ready"),
    "repairing": (
        observed("1 deployed D2", objects=(), rollout=SERVES),
        "True GatewayReady", "True Repairing", "False Repairing",
    ),
    "upgrading": (
        observed("1 deployed D1", rollout=SERVES), "True GatewayReady", "False Upgrading", "True Upgrading",
    ),
    "failed, the previous one serves": (
        observed("3 deployed D1", attempt=failing(), rollout=SERVES),
        "True GatewayReady", "False UpgradeFailed", "False UpgradeFailed",
    ),
    "rolling back": (
        observed("1 deployed D1", "2 failed D2", attempt=failing()),
        "False UpgradeFailed", "False UpgradeFailed", "True UpgradeFailed",
    ),
    "removing": (
        observed("1 deployed D2", is_removed=True, rollout=SERVES),
        "False WaitingForRemoval", "False WaitingForRemoval", "True WaitingForRemoval",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("there", "ready", "provisioned", "progressing"), CASES.values(), ids=CASES.keys())
def test_statuses(there: Observed, ready: str, provisioned: str, progressing: str) -> None:
    told = conditions(plan(desired(), there, NOW), there, NOW)
    assert [condition.type for condition in told] == ["Ready", "Provisioned", "Progressing"]
    assert [f"{condition.status} {condition.reason}" for condition in told] == [ready, provisioned, progressing]
    assert all(condition.message for condition in told)


def test_ready_names_the_revision_that_serves() -> None:
    there = observed("2 failed D2", "3 deployed D1", attempt=failing(), rollout=SERVES)
    ready, provisioned, _ = conditions(plan(desired(), there, NOW), there, NOW)
    assert ready.message == "The gateway of revision 3 is available."
    assert "Helm says no." in provisioned.message


def test_unmanaged_has_none() -> None:
    assert conditions(plan(None, Observed(), NOW), Observed(), NOW) == ()


def test_removed_is_not_ready() -> None:
    there = Observed(is_removed=True, rollout=SERVES)
    told = conditions(plan(None, there, NOW), there, NOW)
    assert [condition.status for condition in told] == ["False", "False", "False"]


def test_the_time_moves_only_with_the_status() -> None:
    def told(there: Observed, now: float, previous: tuple[Condition, ...]) -> tuple[Condition, ...]:
        return conditions(plan(desired(), there, now), there, now, previous)

    first = told(Observed(), NOW, ())
    assert {condition.last_transition_time for condition in first} == {"1970-01-12T13:46:40Z"}
    starting = told(observed("1 deployed D2"), NOW + 60, first)
    times = [condition.last_transition_time for condition in starting]
    assert times == ["1970-01-12T13:46:40Z", "1970-01-12T13:47:40Z", "1970-01-12T13:46:40Z"]
    assert starting[0].reason == "GatewayNotReady", "the reason moves on without the time"
    assert told(observed("1 deployed D2"), NOW + 90, starting) == starting


def test_as_json_it_is_a_kubernetes_condition() -> None:
    (ready, *_) = conditions(plan(desired(), Observed(), NOW), Observed(), NOW)
    assert set(msgspec.to_builtins(ready)) == {"type", "status", "reason", "message", "lastTransitionTime"}
    assert msgspec.json.decode(msgspec.json.encode(ready), type=Condition) == ready


def test_a_long_message_is_cut() -> None:
    made = msgspec.structs.replace(plan(desired(), Observed(), NOW), message="x" * 10_000)
    assert {len(condition.message) for condition in conditions(made, Observed(), NOW)} == {MESSAGE_LENGTH_MAX}
