from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from entryproxy.cli.output import CommandError
from entryproxy.cli.tenant.waiting import SILENT, Progress, wait_for_gateway, wait_for_removal
from entryproxy.model.status import Phase, TenantStatus, document_digest
from tests.cli.tenant.teller import Teller

DOCUMENT = "release: {profile: test}\n"


def status(phase: Phase, document: str = DOCUMENT, **fields: str) -> TenantStatus:
    return TenantStatus(phase=phase, reason=f"R{phase}", message="So.", document=document_digest(document), **fields)  # type: ignore[arg-type]


class Story:
    """What happens between one look and the next, and the time that it takes: a step is 5 s."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.seconds = 0.0
        self.progress = Progress(0.0, 60.0, lambda: self.seconds)
        self._steps = list(steps)

    async def sleep(self, _: float) -> None:
        self.seconds += 5.0
        if self._steps:
            self._steps.pop(0)()


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Story]:
    def begin(*steps: Callable[[], object]) -> Story:
        story = Story(*steps)
        monkeypatch.setattr(asyncio, "sleep", story.sleep)
        return story

    return begin


def test_each_step_is_said_once(teller: Teller, tell: Callable[..., Story], capsys: pytest.CaptureFixture[str]) -> None:
    teller.tell("t1", None)
    story = tell(
        lambda: teller.tell("t1", status("Provisioning")),
        lambda: None,
        lambda: teller.tell("t1", status("Ready")),
    )
    asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, story.progress))
    assert capsys.readouterr().out == "   5.0 s  Provisioning (RProvisioning): So.\n  15.0 s  Ready (RReady): So.\n"


def test_what_is_said_of_an_older_document_does_not_count(
    teller: Teller, tell: Callable[..., Story], capsys: pytest.CaptureFixture[str]
) -> None:
    teller.tell("t1", status("Ready", "release: {profile: prod}\n"))
    story = tell(
        lambda: teller.tell("t1", status("Failed", "release: {}\n")), lambda: teller.tell("t1", status("Ready"))
    )
    asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, story.progress))
    assert capsys.readouterr().out == "  10.0 s  Ready (RReady): So.\n"


def test_a_failure_that_is_tried_again_is_waited_for(teller: Teller, tell: Callable[..., Story]) -> None:
    teller.tell("t1", status("Failed", next_retry="2026-01-01T00:00:00Z"))
    story = tell(lambda: teller.tell("t1", status("Ready")))
    asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, story.progress))
    assert story.seconds == 5


def test_a_refusal_ends_it(teller: Teller, tell: Callable[..., Story], capsys: pytest.CaptureFixture[str]) -> None:
    teller.tell("t1", status("Failed"))
    with pytest.raises(CommandError, match=r"the gateway of tenant t1 can't be made as written: So\."):
        asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, tell().progress))
    assert "Failed (RFailed)" in capsys.readouterr().out


@pytest.mark.parametrize("happens", ["gone", "going"])
def test_a_tenant_that_is_removed_meanwhile(teller: Teller, tell: Callable[..., Story], happens: str) -> None:
    teller.tell("t1", status("Provisioning"))
    story = tell(lambda: teller.remove("t1") if happens == "gone" else teller.tell("t1", None, is_going=True))
    with pytest.raises(CommandError, match="tenant t1 has been removed meanwhile"):
        asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, story.progress))


def test_without_a_controller(teller: Teller, tell: Callable[..., Story], capsys: pytest.CaptureFixture[str]) -> None:
    teller.tell("t1", None)
    story = tell()
    with pytest.raises(CommandError, match=r"isn't ready after 60 s$"):
        asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, story.progress))
    assert capsys.readouterr().out == f"  20.0 s  {SILENT}\n"
    story = tell()
    story.progress = Progress(0.0, 5.0, lambda: story.seconds)
    with pytest.raises(CommandError, match="isn't ready after 5 s: no controller has said anything"):
        asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, story.progress))


def test_a_deadline_is_not_the_end(teller: Teller, tell: Callable[..., Story]) -> None:
    goes_on = "; the controller goes on: entryproxy tenant show t1$"
    teller.tell("t1", status("Provisioning"))
    with pytest.raises(CommandError, match=f"isn't ready after 60 s{goes_on}"):
        asyncio.run(wait_for_gateway(teller.access, "t1", DOCUMENT, tell().progress))
    teller.tell("t1", status("Removing"), is_going=True)
    with pytest.raises(CommandError, match=f"isn't gone after 60 s{goes_on}"):
        asyncio.run(wait_for_removal(teller.access, "t1", {"u-t1"}, tell().progress))


def test_until_it_is_gone(teller: Teller, tell: Callable[..., Story], capsys: pytest.CaptureFixture[str]) -> None:
    """What was said before the removal is no news; another ConfigMap of the tenant is not waited for."""
    teller.tell("t1", status("Ready"), is_going=True)
    story = tell(
        lambda: teller.tell("t1", status("Removing"), is_going=True),
        lambda: None,
        lambda: teller.remove("t1"),
    )
    asyncio.run(wait_for_removal(teller.access, "t1", {"u-t1"}, story.progress))
    assert capsys.readouterr().out == "   5.0 s  Removing (RRemoving): So.\n  15.0 s  gone\n"
    teller.tell("t1", status("Ready"))
    asyncio.run(wait_for_removal(teller.access, "t1", {"another"}, tell().progress))
    assert capsys.readouterr().out == ""


def test_a_removal_that_nobody_carries_out(teller: Teller, tell: Callable[..., Story]) -> None:
    teller.tell("t1", status("Ready"), is_going=True)
    with pytest.raises(CommandError, match="tenant t1 isn't gone after 60 s"):
        asyncio.run(wait_for_removal(teller.access, "t1", {"u-t1"}, tell().progress))
