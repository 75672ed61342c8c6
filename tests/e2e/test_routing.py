"""Rules of routing 1 to 6 (docs/contract.md), as a client sees them."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.clients import Client, connect, wrap
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry, Folder, running


@pytest.mark.parametrize(
    ("host", "tenant"),
    [
        ("app1.alpha.aigw.example.com", "alpha"),
        ("any-service.alpha.aigw.example.com", "alpha"),
        ("alpha.aigw.example.com", "alpha"),
        ("app.customer.com", "alpha"),
        ("other.customer.com", "alpha"),
        ("app1.beta.aigw.example.com", "beta"),
        ("shop.beta.example", "beta"),
    ],
)
def test_a_host_leads_to_its_tenant(entry: Entry, gateway: Gateway, host: str, tenant: str) -> None:
    with entry.client(host) as client:
        answer = client.get(gateway.path())
    assert answer.received("X-Entry-Tenant") == [tenant]


@pytest.mark.parametrize(
    "host",
    [
        "APP1.ALPHA.AIGW.EXAMPLE.COM",
        "app1.alpha.aigw.example.com.",
        "app1.alpha.aigw.example.com:443",
        "App1.alpha.aigw.example.com.:1",
    ],
)
def test_case_trailing_dot_and_port_are_dropped(entry: Entry, gateway: Gateway, host: str) -> None:
    with entry.client("app1.alpha.aigw.example.com") as client:
        answer = client.get(gateway.path(), ("Host", host))
    assert answer.received("X-Entry-Service") == ["app1"]


@pytest.mark.parametrize("host", ["app.nobody.aigw.example.com", "nobody.aigw.example.com"])
def test_system_hosts_without_a_tenant_are_not_found(entry: Entry, host: str) -> None:
    with Client(_handshake(entry, host, verify=False), host) as client:
        assert client.get("/").status == 404


@pytest.mark.parametrize("host", ["app1.beta.aigw.example.com", "shop.beta.example"])
def test_a_host_of_another_tenant_is_misdirected(entry: Entry, neighbour: Gateway, host: str) -> None:
    path = neighbour.path()
    with entry.client("app1.alpha.aigw.example.com") as client:
        assert client.get(path, ("Host", host)).status == 421
    assert neighbour.seen(path) == []


def test_another_host_of_the_same_tenant_is_served(entry: Entry, gateway: Gateway) -> None:
    with entry.client("app1.alpha.aigw.example.com") as client:
        answer = client.get(gateway.path(), ("Host", "app.customer.com"))
    assert answer.received("X-Entry-Domain-Type") == ["custom"]


@pytest.mark.parametrize(
    "host",
    [
        "unknown.example.org",
        "a.b.customer.com",
        "customer.com",
        "uncovered.example",
        "a.b.alpha.aigw.example.com",
        "aigw.example.com",
    ],
)
def test_an_unknown_or_uncovered_name_is_refused_with_its_alert(entry: Entry, host: str) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized_name"):
        _handshake(entry, host)


def test_the_alert_is_the_whole_answer(entry: Entry) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = entry.authority.context().wrap_bio(incoming, outgoing, server_hostname="unknown.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with Client(connect(entry.ports["https"]), "") as client:
        client.send(outgoing.read())
        assert client.read_to_end() == bytes([21, 3, 3, 0, 2, 2, 112])
        assert not client.reset


def test_no_sni_is_refused(entry: Entry) -> None:
    with pytest.raises(ssl.SSLError):
        _handshake(entry, None, verify=False)


def test_an_uncovered_system_host_gets_the_platforms_certificate(entry: Entry, gateway: Gateway) -> None:
    with Client(_handshake(entry, "app1.bare.aigw.example.com", verify=False), "app1.bare.aigw.example.com") as client:
        certificate = client.tls.getpeercert()
        answer = client.get(gateway.path())
    assert certificate is not None
    assert ("DNS", "*.aigw.example.com") in certificate["subjectAltName"]
    assert answer.received("X-Entry-Tenant") == ["bare"]


def test_the_tenants_own_wildcard_beats_the_platforms(entry: Entry) -> None:
    with entry.client("app1.alpha.aigw.example.com") as client:
        certificate = client.tls.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (("DNS", "*.alpha.aigw.example.com"),)


def test_unknown_sni_default(tmp_path: Path, authority: Authority, gateway: Gateway) -> None:
    folder = Folder(tmp_path)
    write_platform(folder, authority, unknownSni="default")
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]}, domains=["app.customer.com"])
    with running(folder, authority, "--drain-delay", "0") as entry:
        for name in (None, "unknown.example.org", "app.customer.com"):
            with Client(_handshake(entry, name, verify=False), "app1.alpha.aigw.example.com") as client:
                certificate = client.tls.getpeercert()
                assert certificate is not None
                assert ("DNS", "*.aigw.example.com") in certificate["subjectAltName"]
                if name is None:
                    assert client.get(gateway.path()).status == 200
                    assert client.get(gateway.path(), ("Host", "unknown.example.org")).status == 404


class TestAnswers:
    """What the entry itself answers."""

    HOST = "app1.nobody.aigw.example.com"

    def test_problem_json(self, entry: Entry) -> None:
        with Client(_handshake(entry, self.HOST, verify=False), self.HOST) as client:
            answer = client.get("/", ("Accept", "*/*"))
        assert answer.get("Content-Type") == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == 404
        assert problem["title"] and problem["detail"]
        assert problem["requestId"] == answer.get("X-Request-Id")

    def test_html_for_browsers(self, entry: Entry) -> None:
        with Client(_handshake(entry, self.HOST, verify=False), self.HOST) as client:
            answer = client.get("/<script>", ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"))
        assert (answer.get("Content-Type") or "").startswith("text/html")
        assert (answer.get("X-Request-Id") or "?").encode() in answer.body
        assert b"<script>" not in answer.body

    def test_head_has_no_body(self, entry: Entry) -> None:
        with Client(_handshake(entry, self.HOST, verify=False), self.HOST) as client:
            assert client.request("HEAD", "/").status == 404
            assert client.get("/").status == 404


class TestPlainPort:
    """Port 80."""

    def test_redirect(self, entry: Entry) -> None:
        with entry.plain_client("app.customer.com") as client:
            answer = client.get("/a/b?c=d")
        assert answer.status == 308
        assert _without_port(answer.get("Location")) == "https://app.customer.com/a/b?c=d"

    def test_redirect_keeps_the_connection(self, entry: Entry) -> None:
        with entry.plain_client("app1.alpha.aigw.example.com") as client:
            for _ in range(3):
                assert client.get("/").status == 308
            assert client.request("POST", "/", body=b"hello").status == 308

    def test_tenant_without_redirect(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.plain_client("app1.plain.aigw.example.com") as client:
            assert client.get(path).status == 200
        request = gateway.only(path)
        assert request.get("X-Forwarded-Proto") == "http"
        assert request.get("X-Forwarded-Port") == "80"

    def test_unknown_host(self, entry: Entry) -> None:
        with entry.plain_client("unknown.example.org") as client:
            assert client.get("/").status == 404

    def test_tls_on_the_plain_port(self, entry: Entry) -> None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            wrap(connect(entry.ports["http"]), entry.authority.context(), "app.customer.com")


def test_plain_http_on_the_tls_port_is_no_leak(entry: Entry) -> None:
    with Client(connect(entry.ports["https"]), "app.customer.com") as client:
        client.send(client.head("GET", "/"))
        assert b"HTTP/1.1 200" not in client.read_to_end()


def test_hsts(entry: Entry, gateway: Gateway) -> None:
    async def own_hsts(exchange: Exchange) -> None:
        await exchange.answer(200, b"ok", [("Strict-Transport-Security", "max-age=1")])

    with entry.client("app1.strict.aigw.example.com") as client:
        for path in (gateway.path(), gateway.script(own_hsts)):
            assert client.get(path).get("Strict-Transport-Security") == "max-age=600; includeSubDomains"
    with entry.client("app1.alpha.aigw.example.com") as client:
        assert client.get(gateway.path()).get("Strict-Transport-Security") is None


def _handshake(entry: Entry, server_name: str | None, *, verify: bool = True) -> ssl.SSLSocket:
    context = entry.authority.context()
    context.check_hostname = verify
    sock: socket.socket = connect(entry.ports["https"])
    return wrap(sock, context, server_name)


def _without_port(url: str | None) -> str:
    scheme, _, rest = (url or "").partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.partition(':')[0]}{slash}{path}"
