from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from entryproxy.controller import finding_events
from entryproxy.controller.events import BURST_EVENTS, EventRecorder, Regarding
from entryproxy.controller.finding_events import (
    EVENTS_PER_OBJECT_MAX,
    EVENTS_PER_SECOND_MAX,
    REPEAT_SECONDS,
    RETRY_SECONDS,
    FindingEvents,
    regarding_of,
    worth_telling,
)
from entryproxy.kubernetes.client import connect
from entryproxy.model.finding import Finding
from entryproxy.tasks import spawn
from tests.cluster.cluster import Cluster
from tests.support import Clock


def finding(
    name: str = "t1", message: str = "bad", severity: Literal["error", "warning"] = "error", field: str = "f"
) -> Finding:
    return Finding(
        severity=severity, reason="InvalidObject", object=f"ConfigMap ns/{name}", field=field, message=message
    )


class Recorder(EventRecorder):
    """Writes nowhere. told: (name, uid, note) of each; refuses: whether the next ones can't be written."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.refuses = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def record(self, regarding: Regarding, kind: Literal["Normal", "Warning"], reason: str, note: str) -> bool:
        await self.gate.wait()
        assert (kind, reason) == ("Warning", "InvalidObject")
        self.told.append((regarding.name, regarding.uid, note))
        return not self.refuses

    def take(self) -> list[tuple[str, str, str]]:
        told, self.told = self.told, []
        return told


class Running:
    """FindingEvents at work on a clock of the test's. seconds: how long it has slept between events."""

    def __init__(self) -> None:
        self.clock = Clock(1_000.0)
        self.recorder = Recorder()
        self.uids: dict[str, str] = {}
        self.naps: list[float] = []
        self.events = FindingEvents(
            self.recorder, lambda reference: self.uids.get(reference, ""), clock=self.clock, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.clock.now += seconds
        await asyncio.sleep(0)

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def tell(self, *findings: Finding) -> list[tuple[str, str, str]]:
        """What is told after these are the ones that stand."""
        self.events.update(findings)
        await self.settle()
        return self.recorder.take()

    async def later(self, seconds: float, *findings: Finding) -> list[tuple[str, str, str]]:
        """As `tell`, so much later."""
        self.clock.now += seconds
        return await self.tell(*findings)


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    one = Running()
    task = spawn(one.events.run(), "tell findings")
    try:
        yield one
    finally:
        assert not task.done()
        task.cancel()


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("ConfigMap ns/a.b", Regarding("v1", "ConfigMap", "ns", "a.b", "u")),
        ("Secret ns/a", Regarding("v1", "Secret", "ns", "a", "u")),
        ("EndpointSlice t-gateway/x", Regarding("discovery.k8s.io/v1", "EndpointSlice", "t-gateway", "x", "u")),
        ("ConfigMap", None),
        ("ConfigMap ?/?", None),
        ("Secrets ns/?", None),
        ("Cluster ?/?", None),
        ("File tenants.yaml", None),
        ("Folder /var/state", None),
        ("Service ns/a", None),
        ("", None),
    ],
)
def test_what_can_have_events(reference: str, expected: Regarding | None) -> None:
    assert regarding_of(reference, "u") == expected


def test_errors_first_and_of_each_object_so_many() -> None:
    many = [finding("many", f"{number}", "warning") for number in range(1_000)]
    wrong, other = finding("many", "wrong"), finding("other", "look", "warning")
    chosen = list(worth_telling([*many, wrong, wrong, other]))
    assert chosen == [wrong, *many[: EVENTS_PER_OBJECT_MAX - 1], other]
    assert EVENTS_PER_OBJECT_MAX < BURST_EVENTS


async def test_new_ones_at_once_standing_ones_later_gone_ones_never() -> None:
    error, warning = finding("a", "wrong"), finding("b", "look", "warning", field="")
    async with running() as one:
        one.uids["ConfigMap ns/a"] = "u"
        assert await one.tell(error, warning) == [("a", "u", "f: wrong"), ("b", "", "look")]
        assert await one.tell(error, warning) == []
        assert await one.later(REPEAT_SECONDS["error"], error, warning) == [("a", "u", "f: wrong")]
        assert await one.later(REPEAT_SECONDS["warning"], warning) == [("b", "", "look")]
        assert await one.tell() == []
        assert await one.tell(warning) == [("b", "", "look")], "forgotten, hence new"
        one.uids["ConfigMap ns/b"] = "another"
        assert await one.tell(warning) == [("b", "another", "look")]


def test_errors_are_told_before_the_api_server_forgets_them() -> None:
    assert REPEAT_SECONDS["error"] + RETRY_SECONDS <= 3_600


async def test_standing_ones_are_told_again_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REPEAT_SECONDS, "error", 0.1)
    async with running() as one:
        one.events.update([finding()])
        while len(one.recorder.told) < 3:
            one.clock.now += 0.05
            await asyncio.sleep(0.001)


async def test_many_are_paced_and_the_newest_win() -> None:
    many = [finding(f"t{number}") for number in range(10 * EVENTS_PER_SECOND_MAX)]
    async with running() as one:
        started = one.clock.now
        assert len(await one.tell(*many)) == len(many)
        assert set(one.naps) == {1.0}
        assert one.clock.now - started >= len(many) / EVENTS_PER_SECOND_MAX

        one.recorder.gate.clear()
        one.events.update([finding(f"old{number}") for number in range(1_000)])
        await one.settle()
        one.events.update([finding("new")])
        one.recorder.gate.set()
        await one.settle()
        told = [name for name, _, _ in one.recorder.take()]
        assert told[-1] == "new"
        assert len(told) <= EVENTS_PER_SECOND_MAX + 1


async def test_one_that_cannot_be_written_is_tried_again() -> None:
    async with running() as one:
        one.recorder.refuses = True
        assert len(await one.tell(finding())) == 1
        assert await one.tell(finding()) == []
        one.recorder.refuses = False
        assert len(await one.later(RETRY_SECONDS, finding())) == 1
        assert await one.later(RETRY_SECONDS, finding()) == []


async def test_all_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_events, "EVENTS_MAX", 3)
    many = [finding(f"t{number}", severity="warning") for number in range(9)]
    async with running() as one:
        told = await one.tell(*many, finding("wrong"))
        assert [name for name, _, _ in told] == ["wrong", "t0", "t1"]


async def test_kubectl_describe_shows_them(cluster: Cluster, namespace: str) -> None:
    kinds = {"ConfigMap": "v1", "Secret": "v1", "EndpointSlice": "discovery.k8s.io/v1"}
    uids = {}
    for kind, version in kinds.items():
        more = {"addressType": "IPv4", "endpoints": []} if kind == "EndpointSlice" else {}
        metadata = {"name": "one", "namespace": namespace}
        made = cluster.api.create({"apiVersion": version, "kind": kind, "metadata": metadata, **more})
        uids[f"{kind} {namespace}/one"] = made["metadata"]["uid"]
    findings = [
        Finding(severity="error", reason="HostConflict", object=reference, field="$.domains[0]", message="taken")
        for reference in uids
    ]
    async with await connect(str(cluster.admin_kubeconfig)) as client:
        events = FindingEvents(EventRecorder(client), lambda reference: uids[reference])
        task = spawn(events.run(), "tell findings")
        events.update(findings)
        while len(await asyncio.to_thread(_events, cluster, namespace)) < len(kinds):
            await asyncio.sleep(0.01)
        task.cancel()
    for kind in ("configmap", "endpointslice"):
        described = cluster.kubectl("describe", kind, "one", "--namespace", namespace)
        assert "HostConflict" in described
        assert "$.domains[0]: taken" in described
    listed = cluster.kubectl("events", "--for", "secret/one", "--namespace", namespace)  # describe has none for Secrets
    assert "HostConflict" in listed


def _events(cluster: Cluster, namespace: str) -> list[Any]:
    items: list[Any] = cluster.api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    return items
