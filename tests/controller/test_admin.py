from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer

from entryproxy.controller.admin import admin_app
from entryproxy.telemetry.releases import ControllerReport


@pytest.mark.parametrize(
    ("path", "trouble", "is_leader", "status", "text"),
    [
        ("/healthz", "the lease can't be had", False, 200, "ok\n"),
        ("/readyz", "", True, 200, "ready, leading\n"),
        ("/readyz", "", False, 200, "ready, standing by\n"),
        ("/readyz", "the lease can't be had", False, 503, "not ready: the lease can't be had\n"),
    ],
)
async def test_probes(path: str, trouble: str, is_leader: bool, status: int, text: str) -> None:
    app = admin_app(lambda: ControllerReport(is_leader=is_leader), lambda: trouble)
    async with TestClient(TestServer(app)) as client, client.get(path) as answer:
        assert (answer.status, await answer.text()) == (status, text)


async def test_metrics_and_nothing_else() -> None:
    app = admin_app(lambda: ControllerReport(is_leader=True), lambda: "")
    async with TestClient(TestServer(app)) as client:
        async with client.get("/metrics") as answer:
            assert answer.content_type == "text/plain"
            assert "entryproxy_controller_leader 1.0" in await answer.text()
        async with client.get("/api/tenants") as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json")
        async with client.post("/metrics") as answer:
            assert answer.status == 405
        async with client.get("/metrics", headers={"X-Entry-Tenant": "a"}) as answer:
            assert answer.status == 403
