"""The admin port and the access log after known traffic."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry, Folder, running

HOST = "app1.alpha.aigw.example.com"
FIELDS = [
    "time", "requestId", "tenant", "service", "domainType", "client", "method", "host", "path", "protocol", "status",
    "receivedBytes", "sentBytes", "duration", "timeToFirstByte", "gateway", "error", "tlsVersion", "userAgent",
]  # fmt: skip


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway, refused_address: str
) -> Iterator[Entry]:
    """An entry that nobody else uses, so that its counts are known."""
    folder = Folder(tmp_path_factory.mktemp("watched"))
    write_platform(folder, authority)
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]}, domains=["app.customer.com"])
    folder.certificate("alpha-custom", "alpha", authority.issue("app.customer.com"))
    write_tenant(folder, authority, "down", gateway={"addresses": [refused_address]})
    with running(folder, authority, "--drain-delay", "0") as entry:
        yield entry


def test_health(watched: Entry) -> None:
    assert watched.admin("/healthz")[0] == 200
    assert watched.admin("/readyz")[0] == 200
    assert watched.admin("/nothing")[0] == 404


def test_requests_are_counted_by_tenant_and_status(watched: Entry, gateway: Gateway) -> None:
    async def missing(exchange: Exchange) -> None:
        await exchange.answer(404, b"no")

    requests = "entryproxy_requests_total"
    before = {code: watched.metric(requests, tenant="alpha", code=code) for code in ("200", "404")}
    path = gateway.script(missing)
    for _ in range(4):  # over several workers
        with watched.client(HOST) as client:
            for _ in range(5):
                assert client.get(gateway.path()).status == 200
            assert client.get(path).status == 404
    with watched.client("app1.down.aigw.example.com") as client:
        assert client.get("/").status == 503
    wait_until(lambda: watched.metric(requests, tenant="alpha", code="200") == before["200"] + 20, "200s not counted")
    assert watched.metric(requests, tenant="alpha", code="404", protocol="HTTP/1.1") == before["404"] + 4
    assert watched.metric(requests, tenant="down", code="503") == 1
    assert watched.metric("entryproxy_gateway_errors_total", tenant="down") >= 1
    assert watched.metric("entryproxy_request_duration_seconds_count", tenant="alpha") >= 24
    assert watched.metric("entryproxy_time_to_first_byte_seconds_count", tenant="alpha") >= 24


def test_bytes_are_counted(watched: Entry, gateway: Gateway) -> None:
    before = watched.metric("entryproxy_received_bytes_total", tenant="alpha")
    with watched.client(HOST) as client:
        client.request("POST", gateway.path(), body=bytes(100_000))
    wait_until(
        lambda: 100_000 <= watched.metric("entryproxy_received_bytes_total", tenant="alpha") - before < 110_000,
        "received bytes are wrong",
    )
    assert watched.metric("entryproxy_sent_bytes_total", tenant="alpha") > 0


def test_what_is_going_on_now(watched: Entry, gateway: Gateway) -> None:
    async def held(exchange: Exchange) -> None:
        await latch.wait()
        await exchange.answer(200, b"ok")

    latch = gateway.latch()
    with watched.client(HOST) as client, watched.client(HOST):
        client.send(client.head("GET", gateway.script(held)))
        wait_until(lambda: watched.metric("entryproxy_requests_in_flight", tenant="alpha") == 1, "not in flight")
        wait_until(lambda: watched.metric("entryproxy_client_connections") == 2, "connections are wrong")
        latch.open()
        assert client.response().status == 200
        wait_until(lambda: watched.metric("entryproxy_requests_in_flight", tenant="alpha") == 0, "still in flight")
    wait_until(lambda: watched.metric("entryproxy_client_connections") == 0, "connections are never given back")


def test_malformed_requests_are_counted_without_a_label_of_the_clients_making(watched: Entry) -> None:
    before = watched.metric("entryproxy_rejected_requests_total")
    with watched.client(HOST) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: evil-label.example\r\nHost: b\r\n\r\n")
        assert client.response().status == 400
    with watched.plain_client("evil-label.example") as client:
        assert client.get("/evil-label").status == 404
    wait_until(lambda: watched.metric("entryproxy_rejected_requests_total") > before, "not counted")
    wait_until(lambda: watched.metric("entryproxy_requests_total", tenant="unknown") >= 1, "not counted as unknown")
    assert "evil-label" not in watched.admin("/metrics")[1]


def test_configuration_metrics(watched: Entry) -> None:
    assert watched.metric("entryproxy_tenants") == 2
    assert watched.metric("entryproxy_config_generation") >= 1
    assert watched.metric("entryproxy_config_propagation_seconds_count") >= 1
    assert watched.metric("entryproxy_config_rejected_objects") == 0
    not_after = watched.metric("entryproxy_certificate_not_after_seconds", tenant="alpha", name="alpha-custom")
    assert 80 < (not_after - time.time()) / 86_400 < 91


@pytest.mark.parametrize("path", ["/api/tenants", "/api/certificates", f"/api/explain?host={HOST}"])
def test_api(watched: Entry, path: str) -> None:
    status, body = watched.admin(path)
    assert status == 200
    assert json.loads(body)
    assert "alpha" in body
    assert "PRIVATE KEY" not in body


def test_explain_knows_refusals(watched: Entry) -> None:
    status, body = watched.admin("/api/explain?host=unknown.example.org")
    assert status in (200, 404)
    assert json.loads(body)


def test_no_key_material_anywhere(watched: Entry) -> None:
    for path in ("/", "/metrics", "/api/tenants", "/api/certificates"):
        assert "PRIVATE KEY" not in watched.admin(path)[1], path
    assert not any("PRIVATE KEY" in line for line in watched.messages)


def test_a_page_for_people(watched: Entry) -> None:
    status, body = watched.admin("/")
    assert status == 200
    assert "<html" in body.lower()
    assert "alpha" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_read_only(watched: Entry, method: str) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{watched.ports['admin']}/api/tenants", method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    with refused.value:
        assert refused.value.code == 405


class TestAccessLog:
    """One JSON object a line."""

    def test_every_field(self, watched: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with watched.client(HOST) as client:
            fields = [("User-Agent", 'quoted "agent"\x7f\xff'.replace("\x7f", ""))]
            answer = client.request("POST", path + "?secret=1", fields, b"hello")
        line = watched.logged(path + "?secret=1")
        assert list(line) == FIELDS
        assert (line["tenant"], line["service"], line["domainType"]) == ("alpha", "app1", "system")
        assert (line["client"], line["method"], line["host"]) == ("127.0.0.1", "POST", HOST)
        assert (line["protocol"], line["status"], line["tlsVersion"]) == ("HTTP/1.1", 200, "TLSv1.3")
        assert line["requestId"] == answer.received("X-Request-Id")[0]
        assert line["gateway"] == gateway.address
        assert line["error"] is None
        assert 5 <= line["receivedBytes"] < 1000
        assert len(answer.body) <= line["sentBytes"] < len(answer.body) + 1000
        assert 0 <= line["timeToFirstByte"] <= line["duration"] < 10
        assert line["userAgent"].startswith('quoted "agent"')

    def test_what_the_entry_answers_itself(self, watched: Entry) -> None:
        with watched.client("app1.down.aigw.example.com") as client:
            client.get("/logged-503")
        line = watched.logged("/logged-503")
        assert (line["tenant"], line["status"]) == ("down", 503)
        assert line["error"]

    def test_control_octets_cannot_forge_a_line(self, watched: Entry, gateway: Gateway) -> None:
        path = gateway.path() + "?a=%0A%7B%22status%22:1%7D\"'\\"
        with watched.client(HOST) as client:
            client.get(path)
        assert watched.logged(path)["path"] == path

    def test_a_client_that_leaves_is_logged(self, watched: Entry, gateway: Gateway) -> None:
        async def held(exchange: Exchange) -> None:
            await exchange.read()
            exchange.close()

        path = gateway.script(held)
        with watched.client(HOST) as client:
            client.send(client.head("GET", path))
            gateway.only(path)
        assert watched.logged(path)["error"]
