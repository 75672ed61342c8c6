from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from entryproxy.controller.controller import Controller
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.model.objects import PROVISIONED_LABEL, TENANT_LABEL
from entryproxy.model.reading import Reading
from entryproxy.settings import ControllerSettings
from entryproxy.tasks import spawn
from entryproxy.telemetry.releases import ControllerReport
from tests.kubernetes.api import FakeApi, config_map, status

CONFIG_MAPS = "/api/v1/namespaces/entry/configmaps"


class NoTenants:
    """A source that has read that there are none."""

    def load(self) -> Reading:
        return Reading()

    async def watch(self) -> AsyncGenerator[float, None]:
        yield 0.0
        await asyncio.Event().wait()


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
    unused: Any = None
    settings = ControllerSettings(namespace="entry")
    controller = Controller(client, NoTenants(), unused, unused, settings, ControllerReport())
    leading = spawn(controller.lead(), "lead")
    async with asyncio.timeout(20):
        while not any(query.get("labelSelector") == f"{PROVISIONED_LABEL}=acme" for query in api.lists(CONFIG_MAPS)):
            assert not leading.done()
            await asyncio.sleep(0.01)
    leading.cancel()
    await asyncio.wait({leading})
