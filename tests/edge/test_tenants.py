"""A tenant's share of a pod: what it may take, and that it gives it back."""

from __future__ import annotations

import pytest

from entryproxy.errors import EntryError
from entryproxy.model.tenant import Limits
from tests.edge.conftest import MakeWorld
from tests.edge.network import make_tenant


async def test_a_tenants_limits(make_world: MakeWorld) -> None:
    limits = Limits(connections=2, requests_per_second=3)
    state = make_world(make_tenant(limits=limits, budget_slot=21)).state()
    rows = [state.enter(), state.enter()]
    with pytest.raises(EntryError) as caught:
        state.enter()
    assert (caught.value.status, caught.value.headers) == (503, (("Retry-After", "1"),))
    state.leave(rows.pop())
    rows.append(state.enter())
    state.leave(rows.pop())
    with pytest.raises(EntryError) as caught:
        state.enter()
    assert (caught.value.status, caught.value.headers) == (429, (("Retry-After", "1"),))
    state.leave(rows.pop())


async def test_a_limit_that_changes_gives_back_to_the_row_it_took_from(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(limits=Limits(connections=5), budget_slot=22))
    state = world.state()
    row = state.enter()
    world.apply(make_tenant(limits=Limits(connections=5), budget_slot=23))
    assert world.state() is state
    state.leave(row)
    assert [world.edge.budgets.concurrent(row) for row in (22, 23)] == [0, 0]
