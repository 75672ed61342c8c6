"""A fake API server, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entryproxy.kubernetes.client import ClusterClient, connect
from tests.kubernetes.api import FakeApi


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as server:
        yield server


@pytest.fixture
async def client(api: FakeApi, tmp_path: Path) -> AsyncIterator[ClusterClient]:
    async with await connect(api.kubeconfig(tmp_path)) as one:
        yield one
