"""Names to addresses, asked of a real DNS server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop

from entryproxy import tasks
from entryproxy.edge import resolver as module
from entryproxy.edge.resolver import Answer, ResolveError, Resolver
from entryproxy.settings import EdgeLimits
from tests.edge.dns import AAAA, NXDOMAIN, SERVFAIL, A, DnsServer

MakeResolver = Callable[..., Resolver]


@pytest.fixture
async def make_resolver(dns: DnsServer) -> AsyncIterator[MakeResolver]:
    made: list[Resolver] = []

    def make(limits: EdgeLimits | None = None, **options: Any) -> Resolver:
        loop = asyncio.get_running_loop()
        made.append(Resolver(loop, limits or EdgeLimits(), nameservers=[dns.address], **options))
        return made[-1]

    yield make
    for one in made:
        await one.close()
    await tasks.cancel_all()


async def test_addresses_of_both_families_once(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.set("gateway.test", "10.0.0.2", "fd00::1", "10.0.0.1", "10.0.0.2", ttl=7)
    answer = await make_resolver().look_up("gateway.test")
    assert sorted(answer.addresses) == ["10.0.0.1", "10.0.0.2", "fd00::1"]
    assert answer.ttl_seconds == 7
    assert sorted(dns.asked) == [("gateway.test", A), ("gateway.test", AAAA)]


@pytest.mark.parametrize(("ttl", "expected"), [(0, 1), (1, 1), (30, 30), (60, 60), (86_400, 60)])
async def test_the_time_to_live_has_bounds(
    dns: DnsServer, make_resolver: MakeResolver, ttl: int, expected: float
) -> None:
    dns.set("gateway.test", "10.0.0.1", ttl=ttl)
    assert await make_resolver().look_up("gateway.test") == Answer(("10.0.0.1",), expected)


async def test_an_alias_counts_with_its_own_time_to_live(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.set("gateway.test", "10.0.0.1", ttl=30, alias=("elsewhere.test", 5))
    assert await make_resolver().look_up("gateway.test") == Answer(("10.0.0.1",), 5)


async def test_the_search_path_is_followed(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.set("higress-gateway.tenant1-gateway.svc.cluster.test", "10.96.0.7", ttl=30)
    resolver = make_resolver(domains=["svc.cluster.test", "cluster.test"], ndots=5)
    assert (await resolver.look_up("higress-gateway.tenant1-gateway.svc")).addresses == ("10.96.0.7",)
    assert [name for name, kind in dns.asked if kind == A] == [
        "higress-gateway.tenant1-gateway.svc.svc.cluster.test",
        "higress-gateway.tenant1-gateway.svc.cluster.test",
    ]


async def test_link_local_addresses_are_nobody_s_gateway(dns: DnsServer, make_resolver: MakeResolver) -> None:
    """Clouds have their metadata there, and a tenant may make its Service an alias of any name (ExternalName)."""
    metadata = ("169.254.169.254", "169.254.0.1", "fe80::1", "::ffff:169.254.169.254")
    dns.set("gateway.test", "10.0.0.1", *metadata, "169.253.0.1", ttl=30)
    answer = await make_resolver().look_up("gateway.test")
    assert sorted(answer.addresses) == ["10.0.0.1", "169.253.0.1"]
    dns.set("metadata.test", *metadata, ttl=30)
    with pytest.raises(ResolveError, match="link-local"):
        await make_resolver().look_up("metadata.test")


async def test_localhost_needs_no_server(dns: DnsServer, make_resolver: MakeResolver) -> None:
    answer = await make_resolver().look_up("localhost")
    assert "127.0.0.1" in answer.addresses
    assert not dns.asked


@pytest.mark.parametrize("code", [NXDOMAIN, SERVFAIL])
async def test_refusals_are_told(dns: DnsServer, make_resolver: MakeResolver, code: int) -> None:
    dns.refuse("gateway.test", code)
    with pytest.raises(ResolveError):
        await make_resolver().look_up("gateway.test")


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "gateway..test", "ü" * 64 + ".test", "\udc80.test"])
async def test_names_that_are_none(make_resolver: MakeResolver, name: str) -> None:
    with pytest.raises(ResolveError):
        await make_resolver().look_up(name)


async def test_silence_ends_and_the_next_asks_anew(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.be_silent("gateway.test")
    resolver = make_resolver(EdgeLimits(resolve_seconds=0.05))
    for number in (1, 2):
        with pytest.raises(ResolveError, match="no answer within"):
            await resolver.look_up("gateway.test")
        assert dns.count("gateway.test") == number


async def test_many_who_ask_at_once_ask_once(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.set("gateway.test", "10.0.0.1", ttl=0)
    resolver = make_resolver()
    answers = await asyncio.gather(*(resolver.look_up("gateway.test") for _ in range(50)))
    assert set(answers) == {Answer(("10.0.0.1",), 1)}
    assert dns.count("gateway.test") == 1
    assert await resolver.look_up("gateway.test") == answers[0]
    assert dns.count("gateway.test") == 2


async def test_so_many_look_ups_at_a_time(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.be_silent("slow.test")
    dns.set("gateway.test", "10.0.0.1", ttl=30)
    resolver = make_resolver(EdgeLimits(resolve_concurrent_max=1))
    slow = tasks.spawn(resolver.look_up("slow.test"), "look-up")
    await dns.question("slow.test", 1)
    waiting = tasks.spawn(resolver.look_up("gateway.test"), "look-up")
    await asyncio.sleep(0.05)
    assert dns.count("gateway.test") == 0
    dns.set("slow.test", "10.0.0.2", ttl=30)  # c-ares asks again after a second
    assert (await slow).addresses == ("10.0.0.2",)
    assert (await waiting).addresses == ("10.0.0.1",)


async def test_one_who_gives_up_leaves_the_others(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.be_silent("gateway.test")
    resolver = make_resolver()
    looking = [tasks.spawn(resolver.look_up("gateway.test"), f"look-up {number}") for number in range(2)]
    await dns.question("gateway.test", 1)
    looking[0].cancel()
    dns.set("gateway.test", "10.0.0.1", ttl=30)  # c-ares asks again after a second
    assert (await looking[1]).addresses == ("10.0.0.1",)


async def test_an_empty_answer_is_not_believed_for_long(
    dns: DnsServer, make_resolver: MakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """c-ares remembers it for an hour, whatever the server says."""
    monkeypatch.setattr(module, "_CHANNEL_SECONDS", 0.0)
    dns.be_empty("gateway.test")
    resolver = make_resolver()
    with pytest.raises(ResolveError):
        await resolver.look_up("gateway.test")
    dns.set("gateway.test", "10.0.0.1", ttl=0)
    assert (await resolver.look_up("gateway.test")).addresses == ("10.0.0.1",)


async def test_a_channel_that_is_replaced_answers_first(
    dns: DnsServer, make_resolver: MakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHANNEL_SECONDS", 0.0)
    dns.be_silent("slow.test")
    dns.set("quick.test", "10.0.0.2", ttl=30)
    resolver = make_resolver()
    slow = tasks.spawn(resolver.look_up("slow.test"), "look-up")
    await dns.question("slow.test", 1)
    assert (await resolver.look_up("quick.test")).addresses == ("10.0.0.2",)
    dns.set("slow.test", "10.0.0.1", ttl=30)
    assert (await slow).addresses == ("10.0.0.1",)


async def test_close_gives_up(dns: DnsServer, make_resolver: MakeResolver) -> None:
    dns.be_silent("gateway.test")
    resolver = make_resolver()
    looking = tasks.spawn(resolver.look_up("gateway.test"), "look-up")
    await dns.question("gateway.test", 1)
    await resolver.close()
    with pytest.raises(ResolveError):
        await looking


def test_on_the_loop_of_the_workers() -> None:
    async def look_up() -> Answer:
        dns = await DnsServer.start()
        dns.set("gateway.test", "10.0.0.1", ttl=30)
        resolver = Resolver(asyncio.get_running_loop(), EdgeLimits(), nameservers=[dns.address])
        try:
            return await resolver.look_up("gateway.test")
        finally:
            await resolver.close()
            dns.close()

    assert uvloop.run(look_up()) == Answer(("10.0.0.1",), 30)
