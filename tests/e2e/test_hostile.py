"""Defects that a hostile peer on either side could use, each shut and kept shut."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.clients import TruncatedError
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry, Folder, running

ALPHA = "app1.alpha.aigw.example.com"
PLAIN = "app1.plain.aigw.example.com"


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_an_early_answer_never_turns_the_rest_of_the_body_into_a_request(
    entry: Entry, gateway: Gateway, coding: str
) -> None:
    async def answer_early(exchange: Exchange) -> None:
        await exchange.answer(200, b"early")
        exchange.close()

    path, smuggled = gateway.script(answer_early), gateway.path()
    with entry.client(ALPHA) as client:
        body = client.head("GET", smuggled)
        framing = ("Content-Length", str(len(body))) if coding == "length" else ("Transfer-Encoding", "chunked")
        client.send(client.head("POST", path, [framing]))
        assert client.response().body == b"early"
        client.try_send(body)
        assert client.is_closed()
    assert gateway.seen(smuggled) == []


@pytest.mark.parametrize("together", [True, False])
def test_the_body_of_a_request_over_the_rate_is_not_a_request(entry: Entry, gateway: Gateway, together: bool) -> None:
    smuggled = gateway.path()
    with entry.client("app1.rated.aigw.example.com") as client:
        while client.get("/").status != 429:
            pass
        body = client.head("GET", smuggled)
        head = client.head("POST", "/", [("Content-Length", str(len(body)))])
        client.send(head + body if together else head)
        answer = client.response()
        if not together:
            client.try_send(body)
        assert (answer.status, answer.get("connection")) == (429, "close")
        assert client.is_closed()
    assert gateway.seen(smuggled) == []


def test_a_known_head_does_not_lift_the_limit_of_the_request_line(entry: Entry) -> None:
    with entry.plain_client(PLAIN) as client:
        assert client.get("/").status == 200
        assert client.get("/" + "a" * 9_000).status == 414


def test_a_cut_answer_without_a_length_is_reset(entry: Entry, gateway: Gateway) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        exchange.close()

    path = gateway.script(break_off)
    with entry.plain_client(PLAIN) as client:
        client.send(client.head("GET", path, version="HTTP/1.0"))
        with pytest.raises(TruncatedError):
            client.response()


def test_a_zone_in_x_forwarded_for_goes_no_further(tmp_path: Path, authority: Authority, gateway: Gateway) -> None:
    folder = Folder(tmp_path / "source")
    write_platform(folder, authority, trustedProxies=["127.0.0.0/8"])
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]})
    with running(folder, authority, "--drain-delay", "0") as entry, entry.client(ALPHA) as client:
        assert client.get("/", ("X-Forwarded-For", '::1%"><x>')).received("x-real-ip") == ["127.0.0.1"]


def test_expensive_key_exchanges_are_not_offered(entry: Entry) -> None:
    """Finite fields of 8192 bits cost a server a hundred milliseconds for each handshake (CVE-2002-20001)."""
    hello = _hello_with_group(0x0104)
    with socket.create_connection(("127.0.0.1", entry.ports["https"]), 5) as sock:
        sock.sendall(hello)
        record = sock.recv(65_536)
    assert record[0] == 21  # an alert, where it used to be a HelloRetryRequest
    assert record[6] in (40, 47, 109)


def _hello_with_group(group: int) -> bytes:
    """A TLS 1.3 ClientHello that offers nothing but one key exchange and has no share for it yet."""

    def vector(length_bytes: int, data: bytes) -> bytes:
        return len(data).to_bytes(length_bytes) + data

    def extension(kind: int, data: bytes) -> bytes:
        return kind.to_bytes(2) + vector(2, data)

    extensions = (
        extension(0, vector(2, b"\0" + vector(2, ALPHA.encode())))
        + extension(10, vector(2, group.to_bytes(2)))
        + extension(13, vector(2, b"\x04\x03\x08\x04"))
        + extension(43, vector(1, b"\x03\x04"))
        + extension(51, vector(2, b""))
    )
    body = b"\x03\x03" + bytes(32) + vector(1, bytes(32)) + vector(2, b"\x13\x01") + vector(1, b"\0")
    message = b"\x01" + vector(3, body + vector(2, extensions))
    return b"\x16\x03\x01" + vector(2, message)


def test_a_gateway_that_is_the_entry_itself(tmp_path: Path, authority: Authority) -> None:
    """Who may say where a gateway's Service leads, may lead it here: no way round, and none to the admin port."""
    host = "app1.alpha.aigw.example.com"
    folder = Folder(tmp_path)
    write_platform(folder, authority)
    with running(folder, authority, "--drain-delay", "0") as entry:

        def status() -> int:
            with entry.plain_client(host) as client:
                return client.get("/api/tenants").status

        for port, expected in (("http", 508), ("admin", 403)):
            folder.tenant("alpha", httpsRedirect=False, gateway={"addresses": [f"127.0.0.1:{entry.ports[port]}"]})
            wait_until(lambda: status() == expected, f"never {expected}")  # noqa: B023
        loops = entry.metric("entryproxy_rejected_requests_total", reason="loop")
        assert 1 <= loops <= entry.metric("entryproxy_requests_total", tenant="alpha", code="508") <= 6 * loops
