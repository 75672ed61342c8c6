from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from entryproxy.controller import events
from entryproxy.controller.events import BURST_EVENTS, NOTE_CHARACTERS_MAX, REFILL_SECONDS, EventRecorder, Regarding
from entryproxy.kubernetes.client import ClusterClient, connect
from tests.cluster.cluster import Cluster
from tests.support import Clock

NOW = 1_790_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with await connect(str(cluster.admin_kubeconfig)) as one:
        yield one


@pytest.fixture
def regarding(cluster: Cluster, namespace: str) -> Regarding:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tenant1", "namespace": namespace}}
    uid = cluster.api.create(config)["metadata"]["uid"]
    return Regarding("v1", "ConfigMap", namespace, "tenant1", uid)


def told(cluster: Cluster, regarding: Regarding) -> list[dict[str, Any]]:
    """What kubectl shows of the object, the most frequent first."""
    selector = f"involvedObject.uid={regarding.uid}"
    said = cluster.kubectl("get", "events", "-n", regarding.namespace, "--field-selector", selector, "-o", "json")
    return sorted(json.loads(said)["items"], key=lambda one: -one["count"])


async def test_the_same_thing_is_one_event(
    cluster: Cluster, client: ClusterClient, regarding: Regarding, clock: Clock
) -> None:
    recorder = EventRecorder(client, clock=clock)
    for _ in range(3):
        assert await recorder.record(regarding, "Warning", "DuplicateHost", "app.x.com belongs to tenant2")
        clock.now += 60
    assert await recorder.record(regarding, "Normal", "Provisioned", "Revision 1 is deployed")
    often, once = told(cluster, regarding)
    assert (often["count"], often["type"], often["reason"]) == (3, "Warning", "DuplicateHost")
    assert often["message"] == "app.x.com belongs to tenant2"
    assert (often["firstTimestamp"], often["lastTimestamp"]) == ("2026-09-21T14:13:20Z", "2026-09-21T14:15:20Z")
    assert (once["count"], once["source"]) == (1, {"component": "entryproxy-controller"})
    described = cluster.kubectl("describe", "configmap", "tenant1", "-n", regarding.namespace)
    assert "DuplicateHost" in described
    assert "(x3 over" in described


async def test_after_a_while_it_is_news_again(
    cluster: Cluster, client: ClusterClient, regarding: Regarding, clock: Clock
) -> None:
    recorder = EventRecorder(client, clock=clock)
    await recorder.record(regarding, "Normal", "Provisioned", "again")
    clock.now += events.REPEAT_SECONDS + 1
    await recorder.record(regarding, "Normal", "Provisioned", "again")
    (one,) = told(cluster, regarding)
    assert (one["count"], one["firstTimestamp"]) == (1, one["lastTimestamp"])


async def test_a_long_note_is_cut_and_another_controller_may_go_on(
    cluster: Cluster, client: ClusterClient, regarding: Regarding, clock: Clock
) -> None:
    note = "x" * (NOTE_CHARACTERS_MAX + 1)
    assert await EventRecorder(client, clock=clock).record(regarding, "Normal", "Long", note)
    assert await EventRecorder(client, clock=clock).record(regarding, "Normal", "Long", note)
    (one,) = told(cluster, regarding)
    assert one["message"] == "x" * (NOTE_CHARACTERS_MAX - 1) + "…"


async def test_the_longest_name_has_events_too(client: ClusterClient, namespace: str, clock: Clock) -> None:
    longest = Regarding("v1", "ConfigMap", namespace, "x" * 253)
    assert await EventRecorder(client, clock=clock).record(longest, "Normal", "Provisioned", "here")


async def test_an_object_with_too_much_to_say_is_heard_less_often(
    client: ClusterClient, regarding: Regarding, clock: Clock, namespace: str
) -> None:
    recorder = EventRecorder(client, clock=clock)
    said = [await recorder.record(regarding, "Warning", "Noise", f"number {number}") for number in range(30)]
    assert said == [True] * BURST_EVENTS + [False] * (30 - BURST_EVENTS)
    other = Regarding("v1", "ConfigMap", namespace, "quiet")
    assert await recorder.record(other, "Warning", "Noise", "one")
    clock.now += REFILL_SECONDS
    assert await recorder.record(regarding, "Warning", "Noise", "later")
    assert not await recorder.record(regarding, "Warning", "Noise", "later still")


async def test_one_that_cannot_be_written_is_logged_and_forgotten(
    client: ClusterClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Regarding("v1", "ConfigMap", "no-such-namespace", "tenant1")
    assert not await EventRecorder(client, clock=clock).record(nowhere, "Normal", "Lost", "lost")
    assert "an event about ConfigMap no-such-namespace/tenant1" in caplog.text


async def test_what_is_remembered_is_bounded(
    client: ClusterClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "OBJECTS_MAX", 3)
    recorder = EventRecorder(client, clock=clock)
    for number in range(9):
        await recorder.record(Regarding("v1", "ConfigMap", "no-such-namespace", f"t{number}"), "Normal", "Lost", "lost")
    assert len(recorder._told) == len(recorder._allowances) == 3
