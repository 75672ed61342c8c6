"""Names of gateways followed to their addresses, on a clock of the test and a resolver that says what it is told."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator

import pytest

from entryproxy import tasks
from entryproxy.edge import names as module
from entryproxy.edge.names import GatewayNames
from entryproxy.model.tenant import GatewayEndpoint
from tests.edge.conftest import MakeWorld
from tests.edge.network import Names, World, make_tenant


class Scene:
    """A world whose first tenant's gateway is followed."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.now = 1_000.0
        self.resolver = world.edge.resolver = Names()
        monkeypatch.setattr(module, "monotonic", lambda: self.now)

    @property
    def names(self) -> GatewayNames:
        return self.world.state().pool._names

    @property
    def endpoints(self) -> list[str]:
        return [endpoint.address for endpoint in self.world.state().pool._endpoints]

    def follow(self, *addresses: str) -> None:
        self.world.apply(make_tenant(gateway_addresses=addresses))

    async def pass_(self, seconds: float) -> None:
        """As the wheel does when the deadline is over."""
        self.now += seconds
        if self.now >= self.names.deadline:
            self.names.expired(self.now)
        await self.world.settle()


@pytest.fixture
async def scene(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(make_world(), monkeypatch)


@pytest.fixture
def in_use(scene: Scene) -> Iterator[None]:
    """A connection to the gateway is open."""
    endpoints = scene.world.state().pool._endpoints
    endpoints.open += 1
    yield
    endpoints.open -= 1


async def test_literals_need_no_look_up(scene: Scene) -> None:
    scene.follow("127.0.0.1:80", "[::1]:80", "127.0.0.1:80")
    assert scene.endpoints == ["127.0.0.1:80", "[::1]:80"]
    await scene.names.refresh()
    assert not scene.resolver.asked
    assert not scene.names.tick


async def test_names_become_addresses_before_the_first_dial(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1", "fd00::1")
    scene.resolver.set("b.test", "10.0.0.2", "10.0.0.1")
    scene.follow("a.test:80", "10.0.0.9:80", "b.test:80", "a.test:81")
    assert scene.endpoints == ["10.0.0.9:80"]
    await scene.names.refresh()
    assert scene.endpoints == [
        "10.0.0.1:80", "[fd00::1]:80", "10.0.0.9:80", "10.0.0.2:80", "10.0.0.1:81", "[fd00::1]:81",
    ]  # fmt: skip
    assert sorted(scene.resolver.asked) == ["a.test", "b.test"]


async def test_each_answer_lives_for_its_time(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    scene.resolver.set("b.test", "10.0.0.2", ttl=20)
    scene.follow("a.test:80", "b.test:80")
    await scene.names.refresh()
    scene.resolver.asked.clear()
    scene.now += 4.9
    await scene.names.refresh()
    assert not scene.resolver.asked
    scene.now += 0.1
    scene.resolver.set("a.test", "10.0.0.7", ttl=5)
    await scene.names.refresh()
    assert scene.resolver.asked == ["a.test"]
    assert scene.endpoints == ["10.0.0.7:80", "10.0.0.2:80"]


@pytest.mark.usefixtures("in_use")
async def test_while_it_is_used_it_is_looked_up_unasked(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    scene.follow("a.test:80")
    await scene.names.refresh()
    endpoint = next(iter(scene.world.state().pool._endpoints))
    scene.resolver.set("a.test", "10.0.0.1", "10.0.0.2", ttl=5)
    for _ in range(3):
        await scene.pass_(5)
    assert scene.resolver.asked == ["a.test"] * 4
    assert scene.endpoints == ["10.0.0.1:80", "10.0.0.2:80"]
    assert next(iter(scene.world.state().pool._endpoints)) is endpoint


async def test_what_nobody_uses_costs_nothing(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    scene.follow("a.test:80")
    await scene.names.refresh()
    for _ in range(3):
        await scene.pass_(5)
    assert scene.resolver.asked == ["a.test"]
    assert scene.endpoints == ["10.0.0.1:80"]


async def test_the_wheel_wakes_it(make_world: MakeWorld) -> None:
    """On the real clock: the deadline is the end of the time to live."""
    world = make_world(make_tenant(gateway_addresses=("a.test:80",)))
    resolver = world.edge.resolver = Names()
    resolver.set("a.test", "10.0.0.1", ttl=0.0)
    pool = world.state().pool
    await pool._names.refresh()
    pool._endpoints.open += 1
    world.turn(1.0)
    await world.settle()
    assert resolver.asked == ["a.test"] * 2


@pytest.mark.usefixtures("in_use")
async def test_what_was_known_stays(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "entryproxy.edge.names")
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    scene.follow("a.test:80")
    await scene.names.refresh()
    del scene.resolver.answers["a.test"]
    for _ in range(20):
        await scene.pass_(90)
        assert scene.endpoints == ["10.0.0.1:80"]
    assert len(scene.resolver.asked) == 21
    assert [record.levelname for record in caplog.records] == ["WARNING"], "said once"
    assert "a.test does not resolve (no such name); 1 known addresses stay" in caplog.text
    scene.resolver.set("a.test", "10.0.0.2", ttl=5)
    await scene.pass_(90)
    assert scene.endpoints == ["10.0.0.2:80"]
    assert caplog.messages[-1] == "gateway name a.test resolves again"


async def test_a_name_that_fails_is_not_asked_for_without_pause(scene: Scene) -> None:
    scene.follow("a.test:80")
    for _ in range(5):
        await scene.names.refresh()
    assert scene.resolver.asked == ["a.test"]
    assert scene.endpoints == []
    scene.now += 1.5 * scene.world.edge.limits.resolve_retry_seconds
    scene.resolver.set("a.test", "10.0.0.1")
    await scene.names.refresh()
    assert scene.endpoints == ["10.0.0.1:80"]


@pytest.mark.usefixtures("in_use")
async def test_retries_come_ever_more_rarely(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    scene.follow("a.test:80")
    await scene.names.refresh()
    del scene.resolver.answers["a.test"]
    pauses = []
    for _ in range(8):
        await scene.pass_(scene.names.deadline - scene.now)
        pauses.append(scene.names.deadline - scene.now)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    await scene.pass_(60)
    del scene.resolver.answers["a.test"]
    await scene.pass_(5)
    assert scene.names.deadline - scene.now == 2


async def test_retries_of_what_never_resolved_are_up_to_the_requests(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    scene.follow("a.test:80")
    for number in range(1, 9):
        await scene.names.refresh()
        assert len(scene.resolver.asked) == number
        await scene.pass_(2)


async def test_retries_don_t_come_in_step(scene: Scene) -> None:
    untils = set()
    for number in range(20):
        scene.follow(f"{number}.test:80")
        await scene.names.refresh()
        untils.add(scene.names.deadline - scene.now)
    limits = scene.world.edge.limits
    assert len(untils) > 10
    assert 0.5 * limits.resolve_retry_seconds <= min(untils) < max(untils) <= 1.5 * limits.resolve_retry_seconds


async def test_a_dial_waits_for_a_first_failure_only(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1", ttl=5)
    scene.follow("a.test:80")
    await scene.names.refresh()
    del scene.resolver.answers["a.test"]
    scene.resolver.gate.clear()
    scene.now += 5
    waiting = tasks.spawn(scene.names.refresh(), "dial")
    await scene.world.settle()
    assert not waiting.done(), "the addresses may be others' by now"
    scene.resolver.gate.set()
    await waiting
    scene.resolver.gate.clear()
    scene.now += 5
    await scene.names.refresh()
    assert scene.endpoints == ["10.0.0.1:80"]
    await scene.world.settle()
    assert scene.resolver.asked == ["a.test"] * 3, "looked up behind the back of the dial"
    scene.resolver.gate.set()


async def test_many_dials_look_up_once(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1")
    scene.resolver.gate.clear()
    scene.follow("a.test:80")
    waiting = [tasks.spawn(scene.names.refresh(), "dial") for _ in range(5)]
    await scene.world.settle()
    scene.resolver.gate.set()
    await asyncio.gather(*waiting)
    assert scene.resolver.asked == ["a.test"]


async def test_a_change_keeps_the_names_that_stay_and_forgets_the_others(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1")
    scene.resolver.set("b.test", "10.0.0.2")
    scene.follow("a.test:80", "b.test:80")
    await scene.names.refresh()
    scene.follow("a.test:8080", "c.test:80")
    assert scene.endpoints == ["10.0.0.1:8080"]
    assert scene.names._known.keys() == {"a.test", "c.test"}
    scene.follow("127.0.0.1:80")
    assert not scene.names._known
    assert len(scene.names) == 1


async def test_a_change_while_names_resolve_is_followed(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1")
    scene.resolver.set("b.test", "10.0.0.2")
    scene.resolver.gate.clear()
    scene.follow("a.test:80")
    waiting = tasks.spawn(scene.names.refresh(), "dial")
    await scene.world.settle()
    scene.follow("b.test:80")
    scene.resolver.gate.set()
    await waiting
    assert scene.endpoints == ["10.0.0.2:80"]


async def test_a_name_that_is_gone_holds_up_no_other(scene: Scene) -> None:
    scene.resolver.set("b.test", "10.0.0.2")
    scene.resolver.gate.clear()
    scene.follow("a.test:80")
    waiting = tasks.spawn(scene.names.refresh(), "dial")
    await scene.world.settle()
    silent, scene.resolver.gate = scene.resolver.gate, asyncio.Event()
    scene.resolver.gate.set()
    scene.follow("b.test:80")
    await scene.names.refresh()
    assert scene.endpoints == ["10.0.0.2:80"]
    silent.set()
    await waiting
    assert scene.endpoints == ["10.0.0.2:80"]


async def test_a_change_to_pods_while_names_resolve_wins(scene: Scene) -> None:
    scene.resolver.set("a.test", "10.0.0.1")
    scene.resolver.gate.clear()
    scene.follow("a.test:80")
    waiting = tasks.spawn(scene.names.refresh(), "dial")
    await scene.world.settle()
    scene.world.apply(make_tenant(gateway_endpoints=(GatewayEndpoint(address="10.0.0.9:80"),)))
    scene.resolver.gate.set()
    await waiting
    await scene.world.settle()
    assert scene.endpoints == ["10.0.0.9:80"]


@pytest.mark.parametrize("leave", ["change", "remove"])
async def test_what_is_not_followed_has_no_deadline(scene: Scene, leave: str) -> None:
    scene.resolver.set("a.test", "10.0.0.1")
    scene.follow("a.test:80")
    names = scene.names
    await names.refresh()
    assert names.tick
    if leave == "change":
        scene.world.apply(make_tenant(gateway_endpoints=()))
    else:
        scene.world.apply(removed=("tenant1",))
    assert not names.tick


async def test_a_defect_of_the_resolver_ends_the_wait(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.follow("a.test:80")
    scene.resolver.asked = None  # type: ignore[assignment]
    await scene.names.refresh()
    assert "task resolve failed" in caplog.text
