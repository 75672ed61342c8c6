from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from entryproxy.controller.queue import WorkQueue
from entryproxy.tasks import spawn
from tests.support import Clock


async def test_what_is_due_comes_in_order_of_its_time() -> None:
    clock = Clock(100.0)
    queue = WorkQueue(clock)
    queue.add("late", 2.0)
    queue.add("soon", 1.0)
    queue.add("now")
    clock.now += 3.0
    assert len(queue) == 3
    assert [await queue.get() for _ in range(3)] == ["now", "soon", "late"]


async def test_the_earliest_time_counts_and_a_key_comes_once() -> None:
    clock = Clock(100.0)
    queue = WorkQueue(clock)
    queue.add("a", 60.0)
    queue.add("a")
    queue.add("a", 5.0)
    assert await queue.get() == "a"
    queue.done("a")
    clock.now += 100.0
    assert len(queue) == 0


async def test_one_that_is_worked_on_comes_again_but_not_at_the_same_time() -> None:
    queue = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"
    again = spawn(queue.get(), "get")
    await asyncio.sleep(0)
    assert not again.done()
    queue.done("a")
    assert await again == "a"


@pytest.mark.parametrize("add", [lambda queue: queue.add("a"), lambda queue: queue.add("a", 0.01)])
async def test_whoever_waits_is_woken(add: Callable[[WorkQueue], None]) -> None:
    queue = WorkQueue()
    waiting = spawn(queue.get(), "get")
    await asyncio.sleep(0)
    add(queue)
    assert await waiting == "a"


async def test_many_hands_share_the_work() -> None:
    queue, done = WorkQueue(), list[str]()

    async def work() -> None:
        while True:
            key = await queue.get()
            await asyncio.sleep(0)
            done.append(key)
            queue.done(key)

    hands = [spawn(work(), "work") for _ in range(4)]
    for number in range(50):
        queue.add(f"t{number}")
    async with asyncio.timeout(20):
        while len(done) < 50:
            await asyncio.sleep(0.001)
    assert sorted(done) == sorted(f"t{number}" for number in range(50))
    for hand in hands:
        hand.cancel()


async def test_what_is_urgent_comes_first_and_takes_its_other_turn_with_it() -> None:
    clock = Clock(100.0)
    queue = WorkQueue(clock)
    for key in ("a", "b", "c"):
        queue.add(key)
    queue.add("c", 1.0, is_urgent=True)
    assert await queue.get() == "a"
    clock.now += 1.0
    assert len(queue) == 2
    assert await queue.get() == "c"
    assert await queue.get() == "b"
    for key in ("a", "b", "c"):
        queue.done(key)
    assert len(queue) == 0


async def test_a_later_turn_stays_when_an_earlier_one_is_taken() -> None:
    clock = Clock(100.0)
    queue = WorkQueue(clock)
    queue.add("a", 60.0)
    queue.add("a", is_urgent=True)
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0
    clock.now += 60.0
    assert await queue.get() == "a"
