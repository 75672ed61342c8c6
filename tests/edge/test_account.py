"""Counting and logging in batches: nothing is lost, nothing waits for long."""

from __future__ import annotations

import asyncio

from entryproxy.edge.account import Accounts
from tests.edge.network import World, answer, request


async def test_a_scrape_sees_all_that_was_answered(world: World) -> None:
    client = world.client()
    for _ in range(3):
        client.feed(request())
        await world.settle()
        world.gateway.feed(answer(b"x"))
    world.edge.accounts.settle()
    report = world.report.tenants["tenant1"]
    assert report.requests == {(200, "HTTP/1.1"): 3}
    assert sum(report.duration_buckets) == sum(report.first_byte_buckets) == 3
    assert report.sent_bytes == len(client.take())
    assert report.received_bytes == 3 * len(request())
    assert len(world.log.lines) == 3
    world.edge.accounts.settle()
    assert len(world.log.lines) == 3


async def test_what_has_no_answer_has_no_first_byte(world: World) -> None:
    client = world.client()
    client.feed(request())
    client.finish()
    (line,) = world.logged
    assert (line["status"], line["timeToFirstByte"], line["error"]) == (499, None, "client_closed")
    report = world.report.tenants["tenant1"]
    assert (sum(report.duration_buckets), sum(report.first_byte_buckets)) == (1, 0)


async def test_lines_wait_for_a_moment_only(world: World) -> None:
    assert isinstance(world.edge.accounts, Accounts)
    client = world.client()
    client.feed(request(host=b"unknown.example"))
    async with asyncio.timeout(5):
        while not world.log.lines:
            await asyncio.sleep(0.01)
