"""A worker's edge without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from entryproxy.edge.budgets import BudgetTable
from tests.certificates import Authority
from tests.edge.dns import DnsServer
from tests.edge.network import World

MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def budgets() -> BudgetTable:
    """Clearing the table takes a moment, so all tests share one; each leaves its cells as they were."""
    return BudgetTable(BudgetTable.create_memory(1), 1, 0)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def make_world(budgets: BudgetTable) -> AsyncIterator[MakeWorld]:
    worlds: list[World] = []

    def make(*tenants: Any, **options: Any) -> World:
        world = World(budgets, *tenants, **options)
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.edge.wheel.stop()


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    return make_world()


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    server = await DnsServer.start()
    yield server
    server.close()
