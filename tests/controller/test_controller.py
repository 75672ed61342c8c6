from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from entryproxy.controller import controller as module
from entryproxy.controller.controller import Controller
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.objects import PROVISIONED_LABEL, TENANT_LABEL, LabelledConfigMap
from entryproxy.model.reading import Reading
from entryproxy.settings import ControllerSettings
from entryproxy.tasks import spawn
from entryproxy.telemetry.releases import ControllerReport
from tests.controller.test_tenants import SETTINGS
from tests.controller.test_tenants import config_map as tenant_config_map
from tests.kubernetes.api import FakeApi, config_map, status

CONFIG_MAPS = "/api/v1/namespaces/entry/configmaps"


class Told:
    """A source that reads what it is told, one after the other, and goes on for ever."""

    def __init__(self, *readings: Reading) -> None:
        self._readings = list(readings)
        self._more = asyncio.Event()

    def tell(self, *changed: LabelledConfigMap) -> None:
        self._readings.append(Reading(changed=changed))
        self._more.set()

    def load(self) -> Reading:
        return self._readings.pop(0)

    async def watch(self) -> AsyncGenerator[float, None]:
        while True:
            while self._readings:
                yield 0.0
            self._more.clear()
            await self._more.wait()


class Rounds:
    """In place of the reconciler: takes down who is looked at. faulty: whose rounds raise what nobody expects.
    delays: in how many seconds to look again, never for those that aren't named."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.faulty: set[str] = set()
        self.delays: dict[str, float] = {}
        self.changed = asyncio.Event()

    async def reconcile(self, tenant: str) -> float:
        self.seen.append(tenant)
        self.changed.set()
        if tenant in self.faulty:
            raise KeyError(tenant)
        return self.delays.get(tenant, math.inf)

    async def decide(self, tenant: str, now: float) -> str:
        return f"{tenant} at {now}"

    async def wait_for(self, *tenants: str) -> None:
        """Until exactly these have been looked at since the last time, in any order."""
        async with asyncio.timeout(20):
            while len(self.seen) < len(tenants):
                self.changed.clear()
                await self.changed.wait()
        assert sorted(self.seen) == sorted(tenants)
        self.seen.clear()


def provisioned(tenant: str, document: str = "release: {}") -> LabelledConfigMap:
    return tenant_config_map(tenant, document)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    one = Rounds()
    monkeypatch.setattr(module, "Reconciler", lambda *_, **__: one)
    return one


@asynccontextmanager
async def leading(client: ClusterClient, source: Told, **settings: Any) -> AsyncIterator[Controller]:
    """A controller at work; it doesn't end by itself."""
    controller = new_controller(client, source, **settings)
    work = spawn(controller.lead(), "lead")
    try:
        yield controller
        assert not work.done()
    finally:
        work.cancel()
        await asyncio.wait({work})


def new_controller(client: ClusterClient, source: Told, **settings: Any) -> Controller:
    unused: Any = None
    chosen = ControllerSettings(namespace="entry", **settings)
    return Controller(client, source, unused, unused, chosen, ControllerReport())


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as server:
        yield server


@pytest.fixture
async def client(api: FakeApi, tmp_path: Path) -> AsyncIterator[ClusterClient]:
    async with await connect(api.kubeconfig(tmp_path)) as one:
        yield one


async def test_an_api_server_that_falters_at_the_beginning_ends_nothing(api: FakeApi, client: ClusterClient) -> None:
    """Whoever holds something from before is looked at as soon as that is known."""
    labels = {PROVISIONED_LABEL: "acme", TENANT_LABEL: "acme"}
    await api.put(CONFIG_MAPS, config_map("acme", labels=labels))
    api.fail(status(503, "ServiceUnavailable"), times=2)
    async with leading(client, Told(Reading())), asyncio.timeout(20):
        while not any(query.get("labelSelector") == f"{PROVISIONED_LABEL}=acme" for query in api.lists(CONFIG_MAPS)):
            await asyncio.sleep(0.01)


async def test_everybody_is_looked_at_once_at_the_beginning(
    api: FakeApi, client: ClusterClient, rounds: Rounds
) -> None:
    """Those that want a gateway, and those that have one to be taken away."""
    await api.put(CONFIG_MAPS, config_map("gone", labels={PROVISIONED_LABEL: "gone"}))
    source = Told(Reading(changed=(SETTINGS, provisioned("a"), provisioned("b"), provisioned("routed", ""))))
    async with leading(client, source) as controller:
        await rounds.wait_for("a", "b", "gone")
        assert controller.is_complete


async def test_what_changes_is_looked_at(client: ClusterClient, rounds: Rounds) -> None:
    source = Told(Reading(changed=(SETTINGS, provisioned("a"), provisioned("b"))))
    async with leading(client, source):
        await rounds.wait_for("a", "b")
        source.tell(provisioned("b", "release: {profile: dev}"), provisioned("c"))
        await rounds.wait_for("b", "c")


async def test_those_who_share_a_namespace_are_looked_at_together(client: ClusterClient, rounds: Rounds) -> None:
    """One of them may have to take over, or give up, what only one of them can have."""
    document = "release: {{isolation: shared}}\ngateway: {{namespace: pool, service: {0}-gateway}}"
    one, other = (provisioned(name, document.format(name)) for name in ("one", "other"))
    source = Told(Reading(changed=(SETTINGS, one, other, provisioned("alone"))))
    async with leading(client, source):
        await rounds.wait_for("one", "other", "alone")
        source.tell(provisioned("third", document.format("third")))
        await rounds.wait_for("one", "other", "third")


async def test_a_fault_that_one_brings_to_light_stops_nobody(
    client: ClusterClient, rounds: Rounds, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """More faults than hands; who has met one is looked at again later."""
    tenants = [f"t{number}" for number in range(2 * module.HANDS)]
    rounds.faulty = set(tenants)
    monkeypatch.setattr(module, "FAULT_SECONDS", 0.01)
    source = Told(Reading(changed=(SETTINGS, *(provisioned(one) for one in tenants))))
    async with leading(client, source), asyncio.timeout(20):
        while not all(rounds.seen.count(one) > 1 for one in tenants):
            await asyncio.sleep(0.01)
        source.tell(provisioned("fine"))
        while "fine" not in rounds.seen:
            await asyncio.sleep(0.01)
    assert "tenant t0 failed" in caplog.text


async def test_a_round_says_when_the_next_one_comes(client: ClusterClient, rounds: Rounds) -> None:
    rounds.delays = {"often": 0.01}
    source = Told(Reading(changed=(SETTINGS, provisioned("often"), provisioned("once"))))
    async with leading(client, source) as controller, asyncio.timeout(20):
        while rounds.seen.count("often") < 5:
            await asyncio.sleep(0.01)
        assert rounds.seen.count("once") == 1
        assert controller.waiting <= 1


async def test_a_preview_decides_for_each(api: FakeApi, client: ClusterClient, rounds: Rounds) -> None:
    await api.put(CONFIG_MAPS, config_map("gone", labels={PROVISIONED_LABEL: "gone"}))
    source = Told(Reading(changed=(SETTINGS, provisioned("b"), provisioned("a"), provisioned("routed", ""))))
    found: Any = await new_controller(client, source).preview(7.0)
    assert list(found.items()) == [("a", "a at 7.0"), ("b", "b at 7.0"), ("gone", "gone at 7.0")]
    assert rounds.seen == []


async def test_a_preview_of_what_cannot_be_read(
    client: ClusterClient, rounds: Rounds, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "COMPLETE_SECONDS_MAX", 0.01)
    source = Told(Reading(unread=frozenset({""}), error="not yet"))
    with pytest.raises(TimeoutError):
        await new_controller(client, source).preview(7.0)
    assert "failed" not in caplog.text


async def test_a_preview_that_the_api_server_refuses(
    api: FakeApi, client: ClusterClient, rounds: Rounds, caplog: pytest.LogCaptureFixture
) -> None:
    api.fail(status(403, "Forbidden", "not yours"))
    with pytest.raises(ApiError, match="not yours"):
        await new_controller(client, Told(Reading(changed=(SETTINGS,)))).preview(7.0)
    assert "failed" not in caplog.text
