from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.status import Attempt, TenantStatus, decode_status, encode_status
from entryproxy.model.times import rfc3339
from entryproxy.provision.actions import Plan
from entryproxy.provision.plan import BACK_OFF_SECONDS_MAX, plan
from entryproxy.provision.state import Desired, Observed, Rollout
from entryproxy.provision.statuses import Outcome, status_of
from tests.provision.worlds import NOW, desired, failing, observed

UPGRADE_FAILED = "The release could not be upgraded: no."


def round_of(
    wanted: Desired | None,
    seen: Observed,
    previous: TenantStatus | None = None,
    *,
    error: str = "",
    now: float = NOW,
    retry_at: float | None = None,
    **outcome: Any,
) -> tuple[Plan, TenantStatus]:
    """A plan whose last action fails with `error` if there is one, and what is told then."""
    made = plan(wanted, seen, now)
    if error:
        result = Outcome(
            done=made.actions[:-1], failed=made.actions[-1], error=error, reason="UpgradeFailed", **outcome
        )
    else:
        result = Outcome(done=made.actions)
    return made, status_of(made, wanted, seen, result, previous, now, jitter=0.0, retry_at=retry_at)


def status(**changes: Any) -> TenantStatus:
    return TenantStatus(**{"phase": "Ready", "has_served": True, "chart_version": "2.2.0", **changes})


def ready(told: TenantStatus) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in told.conditions}


def test_it_serves() -> None:
    _, told = round_of(desired(), observed("1 superseded D1", "2 deployed D2", rollout=Rollout(is_serving=True)))
    assert (told.phase, told.reason, told.revision, told.namespace) == ("Ready", "Ready", 2, "acme-gateway")
    assert (told.chart_version, told.next_retry, told.has_served) == ("2.2.1", "", True)
    assert ready(told)["Ready"] == ("True", "GatewayReady")


def test_equal_rounds_are_told_in_equal_words() -> None:
    seen = observed("1 deployed D2", rollout=Rollout(is_serving=False))
    _, first = round_of(desired(), seen)
    _, second = round_of(desired(), seen, first, now=NOW + 5)
    assert first == second
    assert first.reason == "GatewayNotReady"


def test_a_failing_upgrade() -> None:
    _, told = round_of(
        desired(),
        observed("1 deployed D1", rollout=Rollout(is_serving=True)),
        status(),
        error=UPGRADE_FAILED,
        is_release_failure=True,
    )
    assert told.attempt == Attempt(digest="D2", failures=1, not_before=NOW + 5, message=UPGRADE_FAILED)
    assert (told.phase, told.reason, told.message) == ("Failed", "UpgradeFailed", UPGRADE_FAILED)
    assert (told.revision, told.chart_version, told.next_retry) == (1, "2.2.0", rfc3339(NOW + 5))
    assert ready(told) == {
        "Ready": ("True", "GatewayReady"),
        "Provisioned": ("False", "UpgradeFailed"),
        "Progressing": ("False", "UpgradeFailed"),
    }


@pytest.mark.parametrize(
    ("digest", "before", "failures"),
    [("D2", 1, 2), ("D2", 6, 7), ("other", 6, 1), ("", 0, 1)],
)
def test_failures_are_counted_by_what_failed(digest: str, before: int, failures: int) -> None:
    previous = status(attempt=Attempt(digest=digest, failures=before, not_before=NOW - 1))
    _, told = round_of(desired(), observed("1 deployed D1"), previous, error=UPGRADE_FAILED, is_release_failure=True)
    assert told.attempt.failures == failures
    assert NOW < told.attempt.not_before <= NOW + BACK_OFF_SECONDS_MAX


def test_waiting_for_the_next_try() -> None:
    """The failure stands, with its time, until that comes."""
    previous = status(attempt=failing())
    made, told = round_of(desired(), observed("1 deployed D1", attempt=failing()), previous)
    assert made.actions == ()
    assert (told.phase, told.reason, told.next_retry) == ("Failed", "UpgradeFailed", rfc3339(NOW + 30))
    assert told.attempt == failing()


def test_a_rollback_forgets_no_failure() -> None:
    seen = observed("1 deployed D1", "2 failed D2", attempt=failing())
    made, told = round_of(desired(), seen, status(attempt=failing()))
    assert made.phase == "RollingBack"
    assert told.attempt == failing()


def test_what_came_up_forgets() -> None:
    seen = observed("1 superseded D1", "2 deployed D2", attempt=failing(), rollout=Rollout(is_serving=True))
    _, told = round_of(desired(), seen, status(attempt=seen.attempt))
    assert (told.phase, told.attempt) == ("Ready", Attempt())


@pytest.mark.parametrize(
    ("seen", "phase"),
    [
        (observed("1 deployed D1", attempt=failing(seconds=-1)), "Upgrading"),
        (observed("1 superseded D1", "2 deployed D2", attempt=failing()), "Provisioning"),
        (observed(attempt=failing(seconds=-1)), "Provisioning"),
    ],
)
def test_what_helm_calls_deployed_has_not_come_up_yet(seen: Observed, phase: str) -> None:
    """Otherwise pods that never come up would be tried again and again at the shortest intervals."""
    _, told = round_of(desired(), seen, status(attempt=seen.attempt))
    assert (told.phase, told.attempt) == (phase, seen.attempt)


def test_pods_that_do_not_come_up_are_a_failure_of_the_release() -> None:
    stalled = Rollout(is_serving=True, is_complete=False, stalled="Deployment g: it timed out")
    seen = observed("1 superseded D1", "2 deployed D2", attempt=failing(), rollout=stalled)
    made, told = round_of(desired(), seen, status(attempt=seen.attempt))
    assert (made.phase, told.phase, told.reason) == ("RollingBack", "RollingBack", "RolloutFailed")
    assert (told.attempt.digest, told.attempt.failures) == ("D2", 2)
    assert "Deployment g: it timed out" in told.attempt.message
    assert told.attempt.not_before > NOW


def test_a_failure_that_is_not_the_releases() -> None:
    previous = status(attempt=failing("D1"))
    _, told = round_of(desired(), observed("1 deployed D1"), previous, error="Could not: quota.", retry_at=NOW + 17)
    assert told.attempt == failing("D1")
    assert (told.phase, told.message, told.next_retry) == ("Failed", "Could not: quota.", rfc3339(NOW + 17))


def test_what_is_lost_says_nothing_of_the_release() -> None:
    _, told = round_of(
        desired(), observed("1 deployed D1"), status(), error="Unreachable.", retry_at=NOW + 17, is_lost=True
    )
    assert (told.phase, told.message, told.next_retry) == ("Upgrading", "Unreachable.", rfc3339(NOW + 17))


@pytest.mark.parametrize("later", [0.0, 7.0, 599.0])
def test_a_refusal_keeps_its_word(later: float) -> None:
    """Its time counts from each round anew, but nothing is written for that."""
    seen = observed("1 deployed")
    _, first = round_of(desired(), seen)
    _, second = round_of(desired(), seen, first, now=NOW + later)
    assert (first.reason, first.next_retry) == ("NotOurs", rfc3339(NOW + BACK_OFF_SECONDS_MAX))
    assert second == first
    _, third = round_of(desired(), seen, second, now=NOW + 700)
    assert third.next_retry == rfc3339(NOW + 700 + BACK_OFF_SECONDS_MAX)


def test_a_changed_release_that_fails_has_its_own_time() -> None:
    """In the same words as the one before, whose time isn't over."""
    said = {"phase": "Failed", "reason": "UpgradeFailed", "message": UPGRADE_FAILED}
    previous = status(attempt=failing("D1", seconds=300), next_retry=rfc3339(NOW + 300), **said)
    _, told = round_of(desired(), observed("1 deployed D0"), previous, error=UPGRADE_FAILED, is_release_failure=True)
    assert told.next_retry == rfc3339(NOW + 5)


# -- has_served


def test_that_it_has_served_stays_so() -> None:
    seen = observed("1 deployed D2", rollout=Rollout(is_serving=False))
    assert round_of(desired(), seen, status(has_served=True))[1].has_served
    assert not round_of(desired(), seen, status(has_served=False))[1].has_served
    assert not round_of(desired(), seen)[1].has_served


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (None, observed("1 deployed D2", is_removed=True)),
        (desired(), observed("1 deployed D2", is_removed=True)),
        (desired(), observed()),
    ],
)
def test_a_new_beginning_has_not_served(wanted: Desired | None, seen: Observed) -> None:
    assert not round_of(wanted, seen, status(has_served=True))[1].has_served


# -- removal


def test_removal_goes_on_though_it_fails() -> None:
    seen = observed("1 deployed D2", is_removed=True, is_withdrawn=True)
    _, told = round_of(None, seen, status(attempt=failing()), error="No.", retry_at=NOW + 9, is_release_failure=True)
    assert (told.phase, told.message, told.next_retry) == ("Removing", "No.", rfc3339(NOW + 9))
    assert told.attempt == failing()
    assert told.namespace == "acme-gateway"


def test_a_finalizer_that_stays_is_not_removed() -> None:
    gone = Observed(is_removed=True, has_finalizer=True)
    assert round_of(None, gone, error="No.", retry_at=NOW + 9)[1].phase == "Removing"
    _, told = round_of(None, gone, status(attempt=failing(), revision=3))
    assert (told.phase, told.revision, told.attempt, told.chart_version) == ("Removed", 0, Attempt(), "")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda text: text * 2000))
def test_an_annotation_has_room_for_it(error: str) -> None:
    _, told = round_of(
        desired(), observed("1 deployed D1", rollout=Rollout(is_serving=True)), error=error, is_release_failure=True
    )
    assert decode_status(encode_status(told)) == told
    assert len(encode_status(told).encode()) < 64 * 1024
    assert len(told.message) == len(told.attempt.message) == 1024
