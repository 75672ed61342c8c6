"""`--proxy-protocol on`: PROXY v1 and v2 in front of TLS, from trusted proxies only."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry, Folder, running

HOST = "app1.alpha.aigw.example.com"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway) -> Iterator[Entry]:
    """An entry that trusts load balancers on 127.0.0.1."""
    yield from _started(tmp_path_factory, authority, gateway, ["127.0.0.1/32"])


@pytest.fixture(scope="module")
def distrustful(tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway) -> Iterator[Entry]:
    """An entry whose load balancers are elsewhere."""
    yield from _started(tmp_path_factory, authority, gateway, ["192.0.2.0/24"])


@pytest.mark.parametrize(
    ("header", "client_address"),
    [
        (V1, "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ],
)
def test_version_1(behind: Entry, gateway: Gateway, header: bytes, client_address: str) -> None:
    with behind.client(HOST, preface=header) as client:
        answer = client.get(gateway.path(), ("X-Forwarded-For", "198.51.100.1"))
    assert answer.received("X-Forwarded-For")[0].split(", ")[-1] == client_address


@pytest.mark.parametrize(
    ("command", "family", "addresses", "client_address"),
    [
        (1, 0x11, socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1"), "203.0.113.7"),
        (
            1,
            0x21,
            socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
            "2001:db8::7",
        ),
        (0, 0x00, b"", "127.0.0.1"),
    ],
    ids=["TCP4", "TCP6", "LOCAL"],
)
@pytest.mark.parametrize("extensions", [b"", b"\x05\x00\x03abc"], ids=["bare", "TLV"])
def test_version_2(
    behind: Entry, gateway: Gateway, command: int, family: int, addresses: bytes, client_address: str, extensions: bytes
) -> None:
    ports = struct.pack("!HH", 56324, 443) if addresses else b""
    payload = addresses + ports + extensions
    header = SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(payload)) + payload
    with behind.client(HOST, preface=header) as client:
        answer = client.get(gateway.path())
    assert answer.received("X-Forwarded-For") == [client_address]
    assert behind.logged(answer.json()["target"])["client"] == client_address


def test_the_plain_port_as_well(behind: Entry) -> None:
    with behind.plain_client(HOST) as client:
        client.send(V1)
        assert client.get("/").status == 308


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n",
        b"PROXY TCP4 999.0.113.7 192.0.2.1 56324 443\r\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x00\x02" + bytes(2),
        V1 + V1,
    ],
    ids=["none", "too few", "no address", "endless", "version 3", "too short", "twice"],
)
def test_a_trusted_proxy_must_speak_it_well(behind: Entry, header: bytes) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        behind.client(HOST, preface=header)


def test_anybody_else_must_not_speak_it(distrustful: Entry, gateway: Gateway) -> None:
    with distrustful.client(HOST) as client:
        assert client.get(gateway.path()).received("X-Forwarded-For") == ["127.0.0.1"]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        distrustful.client(HOST, preface=V1)


def _started(
    factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway, trusted: list[str]
) -> Iterator[Entry]:
    folder = Folder(factory.mktemp("proxy-protocol"))
    write_platform(folder, authority, trustedProxies=trusted)
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]})
    with running(folder, authority, "--drain-delay", "0", "--proxy-protocol", "on") as entry:
        yield entry
