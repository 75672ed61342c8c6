"""What a worker's connections share."""

from __future__ import annotations

import asyncio
import email.utils
import time

import pytest

from entryproxy.edge import context
from entryproxy.edge.tls import TlsTransport
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Platform
from entryproxy.telemetry.counters import TenantReport
from tests.certificates import Authority
from tests.edge.conftest import MakeWorld
from tests.edge.network import SYSTEM_DOMAIN, World, answer, make_certificate, make_tenant, put_in_force, request


async def test_changes_keep_the_state_of_tenants_that_stay(world: World) -> None:
    first, second = world.state("tenant1"), world.state("tenant2")
    era = world.edge.era
    world.apply(make_tenant("tenant1", hsts="max-age=1"))
    assert world.state("tenant1") is first
    assert first.hsts == b"max-age=1"
    assert world.state("tenant2") is second
    assert world.edge.era is not era
    world.apply(removed=("tenant2",))
    assert set(world.edge.tenants) == {"tenant1"}
    world.apply(make_tenant("tenant2"))
    assert world.state("tenant2") is not second


async def test_a_change_that_fails_leaves_everybody_a_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker goes on with the table that it had, which still leads to the tenants that were to go."""
    before = world.edge.table.as_change()

    def fail(*_: object) -> None:
        raise ValueError("poison")

    monkeypatch.setattr(context, "TenantState", fail)
    with pytest.raises(ValueError, match="poison"):
        world.apply(make_tenant("tenant1"), make_tenant("tenant3"), removed=("tenant2",))
    assert world.edge.table.as_change() == before
    assert world.edge.tenants.keys() >= world.edge.table.tenants.keys()
    monkeypatch.undo()
    whole = Snapshot.build(world.platform, [make_tenant("tenant1"), make_tenant("tenant4")], 9).as_change()
    put_in_force(world.edge, whole)
    assert world.edge.tenants.keys() == world.edge.table.tenants.keys() == {"tenant1", "tenant4"}


async def test_a_removed_tenant_takes_its_counters_with_it(world: World) -> None:
    """What is under way ends as it would have, and counts for nobody; the next life begins at zero."""
    client = world.client()
    client.feed(request(b"GET", b"/"))
    await world.settle()
    world.report.uncovered["tenant1"] = 1
    assert set(world.report.without_idle().tenants) == {"tenant1"}
    world.apply(removed=("tenant1",))
    assert "tenant1" not in world.report.tenants
    assert world.report.uncovered == {}
    world.apply(make_tenant())
    world.gateway.feed(answer(b"late"))
    assert client.take().endswith(b"late")
    assert [(line["tenant"], line["status"]) for line in world.logged] == [("tenant1", 200)]
    assert world.report.tenants["tenant1"] == TenantReport()
    client.feed(request(b"GET", b"/again"))
    await world.settle()
    world.gateway.feed(answer(b"new"))
    assert len(world.logged) == 2
    assert world.report.tenants["tenant1"].requests == {(200, "HTTP/1.1"): 1}
    assert world.report.tenants["tenant1"].in_flight == 0


async def test_nothing_of_a_change_shows_before_its_last_step(world: World) -> None:
    coming = [make_tenant(f"new{number}", domains=(f"{number}.example.org",)) for number in range(50)]
    change = Change(generation=9, tenants=tuple(coming), removed=("tenant2",))
    before = world.edge.table.as_change()
    era = world.edge.era
    steps = 0
    for _ in world.edge.applying(change, iter(coming)):
        steps += 1
        assert world.edge.table.as_change() == before
        assert world.edge.era is era
        assert "tenant2" in world.edge.tenants
    assert steps > 3
    assert world.edge.table.generation == 9
    assert world.edge.table.owners["7.example.org"] == "new7"
    assert world.edge.tenants.keys() == world.edge.table.tenants.keys()


async def test_trusted_proxies_follow_the_platform(world: World) -> None:
    assert not world.edge.trusts("10.0.0.1")
    world.platform = Platform(system_domain=SYSTEM_DOMAIN, trusted_proxies=("10.0.0.0/8",))
    world.apply()
    assert world.edge.trusts("10.0.0.1")
    assert world.edge.real_client("203.0.113.9", "10.0.0.1") == "203.0.113.9"


async def test_request_ids_are_distinct(world: World) -> None:
    drawn = [world.edge.new_request_id() for _ in range(1_000)]
    assert len(set(drawn)) == 1_000
    assert {len(one) for one in drawn} == {32}


async def test_the_date_is_now(world: World) -> None:
    before = int(time.time())
    date = email.utils.parsedate_to_datetime(world.edge.http_date().decode()).timestamp()
    assert before <= date <= time.time()


async def test_uncovered_names_are_counted(make_world: MakeWorld, authority: Authority) -> None:
    certificate = make_certificate(authority.issue(f"*.{SYSTEM_DOMAIN}"), "system", f"*.{SYSTEM_DOMAIN}")
    world = make_world(platform=Platform(system_domain=SYSTEM_DOMAIN, certificates=(certificate,)))
    for name in (f"tenant1.{SYSTEM_DOMAIN}", f"app.tenant1.{SYSTEM_DOMAIN}", f"app.nobody.{SYSTEM_DOMAIN}"):
        assert world.edge.choose_context(name) is not None
    assert world.report.uncovered == {"tenant1": 1}
    assert world.edge.choose_context("unknown.example") is None
    assert world.edge.choose_context(None) is None


async def test_waiting_until_the_last_connection_is_gone(world: World) -> None:
    await world.edge.wait_until_empty(1)
    clients = [world.client() for _ in range(2)]
    waiting = asyncio.ensure_future(world.edge.wait_until_empty(60))
    for client in clients:
        await asyncio.sleep(0)
        assert not waiting.done()
        client.lose()
    async with asyncio.timeout(5):
        await waiting
    world.client()
    await world.edge.wait_until_empty(0.01)


async def test_leaving_counts_once(world: World) -> None:
    link = TlsTransport(world.edge)
    assert world.edge.admit(link)
    link.server_tenant = "tenant1"
    assert world.edge.admit_to_tenant(link)
    assert world.state().connections == 1
    world.edge.leave(link)
    world.edge.leave(link)
    assert (world.state().connections, world.report.client_connections) == (0, 0)
