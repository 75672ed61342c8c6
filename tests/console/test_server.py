from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from entryproxy.console.server import Console
from entryproxy.telemetry.counters import WorkerReport
from tests.console import pod
from tests.console.pod import FakePod

EVERY_PATH = (
    *("/", "/?host=app.customer.com", "/healthz", "/readyz", "/metrics", "/api/tenants", "/api/certificates"),
    *("/api/findings", "/api/workers", "/api/explain?host=app.customer.com"),
)


@pytest.fixture
def view() -> FakePod:
    return FakePod()


@pytest.fixture
async def client(view: FakePod) -> AsyncIterator[TestClient[Any, Any]]:
    console = Console(view, clock=lambda: pod.NOW, reports_seconds=0.2)
    async with TestClient(TestServer(console.app())) as client:
        yield client
    await console.close()


async def document(client: TestClient[Any, Any], path: str) -> Any:
    response = await client.get(path)
    assert response.status == 200, await response.text()
    assert response.content_type == "application/json"
    return json.loads(await response.read())


# -- probes


async def test_healthz(client: TestClient[Any, Any], view: FakePod) -> None:
    view.ready = False
    view.snapshot = None
    assert (await client.get("/healthz")).status == 200


@pytest.mark.parametrize(
    ("ready", "draining", "reason", "status", "text"),
    [
        (True, False, "", 200, "ready\n"),
        (False, False, "no configuration yet", 503, "not ready: no configuration yet\n"),
        (False, False, "", 503, "not ready: not ready\n"),
        (True, True, "", 503, "not ready: draining\n"),
    ],
)
async def test_readyz(
    client: TestClient[Any, Any], view: FakePod, ready: bool, draining: bool, reason: str, status: int, text: str
) -> None:
    view.ready, view.draining, view.reason = ready, draining, reason
    response = await client.get("/readyz")
    assert (response.status, await response.text()) == (status, text)


async def test_probes_do_not_wait_for_workers(client: TestClient[Any, Any], view: FakePod) -> None:
    view.reports = asyncio.Event().wait  # type: ignore[method-assign, assignment]
    assert (await client.get("/readyz")).status == 200
    assert (await client.get("/healthz")).status == 200


async def test_metrics(client: TestClient[Any, Any]) -> None:
    response = await client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(await response.text())
        for sample in family.samples
    }
    requests = ("entryproxy_requests_total", (("code", "200"), ("protocol", "HTTP/1.1"), ("tenant", "tenant1")))
    assert samples[requests] == 2400
    assert samples["entryproxy_workers", ()] == 2
    assert samples["entryproxy_worker_restarts_total", ()] == 2
    assert samples["entryproxy_config_generation", ()] == 42


@pytest.mark.parametrize("path", EVERY_PATH)
async def test_nothing_is_told_through_the_entry(client: TestClient[Any, Any], path: str) -> None:
    """A tenant may be able to lead its gateway's Service here; the entry marks whatever it sends there."""
    response = await client.get(path, headers={"X-Entry-Tenant": "tenant1"})
    assert (response.status, response.content_type) == (403, "application/problem+json")
    assert "tenant1" not in await response.text()


# -- JSON


async def test_tenants(client: TestClient[Any, Any]) -> None:
    answer = await document(client, "/api/tenants")
    assert (answer["generation"], answer["continue"]) == (42, "")
    assert [one["id"] for one in answer["items"]] == ["tenant1", "tenant2"]
    assert answer["items"][1] == {
        "id": "tenant2",
        "source": "higress-system/tenant2",
        "hosts": ["*.tenant2.aigw.example.com", "tenant2.aigw.example.com"],
        "gatewayAddresses": ["127.0.0.1:9002", "127.0.0.1:9003"],
        "gatewayService": "",
        "gatewayEndpoints": None,
        "gatewayProtocol": "https",
        "httpsRedirect": True,
        "hsts": "",
        "limits": {"requestBodyBytes": 0, "requestsPerSecond": 0, "connections": 0},
        "timeouts": {"connect": 2.0, "firstByte": 300.0, "idle": 300.0},
        "certificates": ["higress-system/tenant2-wildcard"],
        "traffic": {
            "requests": 6,
            "errors": 6,
            "inFlight": 0,
            "receivedBytes": 600,
            "sentBytes": 1800,
            "gatewayErrors": 2,
        },
    }


async def test_certificates(client: TestClient[Any, Any]) -> None:
    answer = await document(client, "/api/certificates")
    assert [(one["tenant"], one["source"], one["state"]) for one in answer["items"]] == [
        ("system", "higress-system/wildcard", "valid"),
        ("tenant1", "higress-system/customer-com", "expiring"),
        ("tenant1", "higress-system/tenant1-wildcard", "valid"),
        ("tenant2", "higress-system/tenant2-wildcard", "expired"),
    ]
    assert answer["items"][1] == {
        "tenant": "tenant1",
        "source": "higress-system/customer-com",
        "names": ["*.customer.com", "app.customer.com"],
        "notBefore": "2026-12-16T08:00:00Z",
        "notAfter": "2027-01-24T20:00:00Z",
        "daysLeft": 9,
        "state": "expiring",
        "fingerprint": "fingerprint-of-customer-com",
    }


async def test_findings_show_errors_first(client: TestClient[Any, Any]) -> None:
    items = (await document(client, "/api/findings"))["items"]
    assert [one["severity"] for one in items] == ["error", "warning"]
    assert items[0]["field"] == "tenant.yaml: $.gateway.prot"


async def test_workers(client: TestClient[Any, Any]) -> None:
    assert (await document(client, "/api/workers"))["items"] == [
        {"slot": 0, "pid": 4711, "connected": True, "generation": 42, "restarts": 0},
        {"slot": 1, "pid": 4712, "connected": True, "generation": 41, "restarts": 2},
    ]


async def test_explain(client: TestClient[Any, Any]) -> None:
    answer = await document(client, "/api/explain?host=APP.customer.com:443")
    assert (answer["outcome"], answer["tenant"]) == ("served", "tenant1")
    assert answer["certificate"]["source"] == "higress-system/customer-com"


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/api/tenants?tenant=tenant2", ["tenant2"]),
        ("/api/tenants?tenant=nobody", []),
        ("/api/certificates?tenant=tenant2", ["tenant2"]),
        ("/api/certificates?tenant=system", ["system"]),
        ("/api/findings?tenant=tenant3", ["tenant3"]),
    ],
)
async def test_one_tenant(client: TestClient[Any, Any], path: str, ids: list[str]) -> None:
    items = (await document(client, path))["items"]
    assert [one.get("id") or one["tenant"] for one in items] == ids


async def test_ten_thousand_tenants_in_pages(client: TestClient[Any, Any], view: FakePod) -> None:
    view.snapshot = pod.snapshot(more_tenants=10_000)
    found, token = [], ""
    for _ in range(5):
        answer = await document(client, f"/api/tenants?limit=2500&continue={token}")
        found += [one["id"] for one in answer["items"]]
        token = answer["continue"]
    assert token == ""
    assert found == sorted(view.snapshot.tenants)
    assert len((await document(client, "/api/tenants"))["items"]) == 10_002


async def test_before_the_first_configuration(client: TestClient[Any, Any], view: FakePod) -> None:
    view.snapshot, view.generation = None, 0
    assert (await document(client, "/api/tenants"))["items"] == []
    assert (await document(client, "/api/certificates"))["items"] == []
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/?host=a.b")).status == 200
    assert (await client.get("/api/explain?host=a.b")).status == 503


# -- what holds for every path


@pytest.mark.parametrize("path", EVERY_PATH)
async def test_no_key_material_anywhere(client: TestClient[Any, Any], path: str) -> None:
    body = await (await client.get(path)).read()
    assert b"PRIVATE" not in body
    assert b"nobody may read this" not in body
    assert b"BEGIN CERTIFICATE" not in body


@pytest.mark.parametrize("path", [*EVERY_PATH, "/nothing"])
async def test_security_headers(client: TestClient[Any, Any], path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "entryproxy"


@pytest.mark.parametrize("path", EVERY_PATH)
async def test_head_is_get_without_a_body(client: TestClient[Any, Any], path: str) -> None:
    response = await client.head(path)
    assert response.status == 200
    assert await response.read() == b""


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/tenants", "/nothing"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_nothing_can_be_changed(client: TestClient[Any, Any], method: str, path: str) -> None:
    response = await client.request(method, path)
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/api", 404),
        ("/api/tenants/", 404),
        ("/api/tenants?limit=many", 400),
        ("/api/tenants?continue=!", 400),
        ("/?tenants=!", 400),
        ("/api/explain", 400),
        ("/api/explain?host=" + "a" * 300, 400),
        ("/?host=" + "a" * 300, 400),
    ],
)
async def test_errors_are_problems(client: TestClient[Any, Any], path: str, status: int) -> None:
    response = await client.get(path)
    assert response.status == status
    assert response.content_type == "application/problem+json"
    problem = json.loads(await response.read())
    assert problem["status"] == status
    assert set(problem) == {"type", "title", "status", "detail"}


async def test_silent_workers_are_a_problem_not_a_hang(client: TestClient[Any, Any], view: FakePod) -> None:
    async def silent() -> Sequence[WorkerReport]:
        await asyncio.Event().wait()
        raise AssertionError

    view.reports = silent  # type: ignore[method-assign]
    response = await client.get("/metrics")
    assert response.status == 503
    assert "did not report" in (await response.json(content_type="application/problem+json"))["detail"]


async def test_a_failure_inside_tells_nothing_outside(
    client: TestClient[Any, Any], view: FakePod, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> Sequence[WorkerReport]:
        raise RuntimeError("the inner workings")

    view.reports = fail  # type: ignore[method-assign]
    response = await client.get("/api/tenants")
    assert response.status == 500
    assert "inner workings" not in await response.text()
    assert "inner workings" in caplog.text


async def test_the_host_does_not_matter(client: TestClient[Any, Any]) -> None:
    response = await client.get("/", headers={"Host": "evil.example"})
    assert response.status == 200
    assert "evil.example" not in await response.text()


async def test_it_serves_on_a_given_socket(view: FakePod) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        console = Console(view)
        await console.start(listening)
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 200
        await console.close()
        assert listening.fileno() == -1
