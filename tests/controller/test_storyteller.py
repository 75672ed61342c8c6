from __future__ import annotations

import pytest

from entryproxy.controller.events import Regarding
from entryproxy.controller.holders import Holder
from entryproxy.controller.storyteller import Storyteller
from entryproxy.controller.tenants import Wanted
from entryproxy.model.status import Phase, TenantStatus
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.actions import InstallRelease, UninstallRelease, UpgradeRelease
from entryproxy.provision.problems import Problem
from entryproxy.provision.statuses import Outcome
from entryproxy.telemetry.releases import ControllerReport, ReleaseReport
from tests.provision.worlds import release

ABOUT = Holder(tenant="a", namespace="entry", name="a", uid="u")
WANTED = Wanted(tenant="a", namespace="entry", name="a", uid="u", created="", spec=TenantSpec())
REGARDING = Regarding("v1", "ConfigMap", "entry", "a", "u")


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[Regarding, str, str, str]] = []

    async def record(self, regarding: Regarding, kind: str, reason: str, note: str) -> bool:
        self.events.append((regarding, kind, reason, note))
        return True


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def report() -> ControllerReport:
    return ControllerReport()


@pytest.fixture
def storyteller(recorder: Recorder, report: ControllerReport) -> Storyteller:
    return Storyteller(recorder, report)  # type: ignore[arg-type]


def status(phase: Phase = "Ready", reason: str = "Ready", message: str = "Serves.") -> TenantStatus:
    return TenantStatus(phase=phase, reason=reason, message=message, revision=3)


async def test_each_step_is_told_once(storyteller: Storyteller, recorder: Recorder, report: ControllerReport) -> None:
    for _ in range(3):
        await storyteller.tell("a", ABOUT, status(), has_failed=False)
    await storyteller.tell("a", ABOUT, status("Failed", "ClassTaken", "No."), has_failed=False)
    await storyteller.tell("a", ABOUT, status("Removing", "Unreachable", "No."), has_failed=True)
    assert recorder.events == [
        (REGARDING, "Normal", "Ready", "Serves."),
        (REGARDING, "Warning", "ClassTaken", "No."),
        (REGARDING, "Warning", "Unreachable", "No."),
    ]
    assert report.releases == {"a": ReleaseReport("Removing", 3)}


async def test_what_is_forgotten_is_news_again(
    storyteller: Storyteller, recorder: Recorder, report: ControllerReport
) -> None:
    assert not storyteller.forget("a")
    await storyteller.tell("a", ABOUT, status(), has_failed=False)
    assert storyteller.forget("a")
    assert report.releases == {}
    await storyteller.tell("a", ABOUT, status(), has_failed=False)
    assert len(recorder.events) == 2


async def test_remarks_are_told_once_each(storyteller: Storyteller, recorder: Recorder) -> None:
    one, two = (Problem(f"release.values.{name}", "it has no effect", "IneffectiveValue", False) for name in "xy")
    await storyteller.remark(WANTED, [one])
    await storyteller.remark(WANTED, [one, two])
    await storyteller.remark(WANTED, [two])
    assert [note for _, _, _, note in recorder.events] == [
        "release.values.x: it has no effect",
        "release.values.y: it has no effect",
    ]


def test_operations_and_rounds_are_counted(storyteller: Storyteller, report: ControllerReport) -> None:
    install, upgrade, uninstall = (
        InstallRelease(release("D1")),
        UpgradeRelease(release("D1"), 1),
        UninstallRelease("a", "a-gateway"),
    )
    storyteller.count(Outcome(done=(install,)))
    storyteller.count(Outcome(done=(uninstall,), failed=upgrade))
    storyteller.count(Outcome())
    storyteller.count_failure()
    assert dict(report.operations) == {
        ("install", "succeeded"): 1,
        ("uninstall", "succeeded"): 1,
        ("upgrade", "failed"): 1,
    }
    assert dict(report.rounds) == {"changed": 1, "failed": 2, "unchanged": 1}
