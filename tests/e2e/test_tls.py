"""TLS as clients meet it: versions, resumption and its borders, broken and slow handshakes."""

from __future__ import annotations

import ssl
import subprocess
import time
import warnings

import pytest

from tests.e2e.clients import Client, connect, wrap
from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry
from tests.support import require_tool

HOST = "app1.alpha.aigw.example.com"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_versions(entry: Entry, gateway: Gateway, version: ssl.TLSVersion) -> None:
    path = gateway.path()
    with entry.client(HOST, context=_context(entry, version)) as client:
        assert client.get(path).status == 200
        negotiated = client.tls.version()
    assert negotiated == version.name.replace("_", ".")
    assert entry.logged(path)["tlsVersion"] == negotiated


def test_tls_1_1_is_refused(entry: Entry) -> None:
    context = entry.authority.context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        wrap(connect(entry.ports["https"]), context, HOST)


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384"])
def test_old_suites_are_refused(entry: Entry, ciphers: str) -> None:
    context = _context(entry, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(ciphers)
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        wrap(connect(entry.ports["https"]), context, HOST)


def test_a_client_that_offers_http2_gets_http_1_1(entry: Entry, gateway: Gateway) -> None:
    context = entry.authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with entry.client(HOST, context=context) as client:
        assert client.tls.selected_alpn_protocol() == "http/1.1"
        assert client.get(gateway.path()).status == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_resumes_in_every_worker(entry: Entry, gateway: Gateway, version: ssl.TLSVersion) -> None:
    context = _context(entry, version)
    session = _session(entry, gateway, context, HOST)
    for _ in range(12):  # connections spread over the workers
        with entry.client(HOST, context=context, session=session) as client:
            assert client.tls.session_reused
            assert client.get(gateway.path()).status == 200


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("other", ["app1.beta.aigw.example.com", "shop.beta.example", "app1.bare.aigw.example.com"])
def test_a_session_does_not_resume_under_another_tenant(
    entry: Entry, gateway: Gateway, version: ssl.TLSVersion, other: str
) -> None:
    context = _context(entry, version)
    context.check_hostname = False
    session = _session(entry, gateway, context, HOST)
    for _ in range(6):
        with entry.client(other, context=context, session=session) as client:
            assert not client.tls.session_reused
            certificate = client.tls.getpeercert()
            assert certificate is not None
            assert ("DNS", "*.alpha.aigw.example.com") not in certificate["subjectAltName"]
            assert client.get(gateway.path()).received("X-Entry-Tenant") != ["alpha"]


def test_a_client_hello_in_single_bytes(entry: Entry, gateway: Gateway) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = entry.authority.context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with Client(connect(entry.ports["https"]), HOST) as client:
        for octet in outgoing.read():
            client.send(bytes([octet]))
        assert client.read(3) == b"\x16\x03\x03"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\xff\xff" + b"\x00" * 1000,
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x40\x00" + b"a" * 0x4000,
        b"\x17\x03\x03\x00\x05hello",
        b"\x16\x03\x01\x00\x00" * 1000,
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x00" * 40,
    ],
    ids=["zeros", "ssh", "endless record", "endless hello", "data first", "empty records", "SSLv2"],
)
def test_garbage_is_closed_at_once(entry: Entry, garbage: bytes) -> None:
    with Client(connect(entry.ports["https"]), HOST) as client:
        client.try_send(garbage)
        started = time.monotonic()
        answer = client.read_to_end()
        assert time.monotonic() - started < 5
    assert answer == b"" or answer.startswith(b"\x15\x03")


def test_an_oversized_client_hello_is_refused(entry: Entry) -> None:
    record = b"\x16\x03\x01\x40\x00"
    hello = b"\x01\x0f\xff\xff\x03\x03" + b"\x00" * 0x100000
    with Client(connect(entry.ports["https"]), HOST) as client:
        for at in range(0, len(hello), 0x4000):
            client.try_send(record + hello[at : at + 0x4000].ljust(0x4000, b"\x00"))
        assert not client.read_to_end().startswith(b"\x16")


def test_renegotiation_is_refused(entry: Entry) -> None:
    openssl = require_tool("openssl")
    address = f"127.0.0.1:{entry.ports['https']}"
    command = [openssl, "s_client", "-connect", address, "-servername", HOST, "-tls1_2"]
    done = subprocess.run(command, input=b"R\n", capture_output=True, timeout=20, check=False)
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"no renegotiation" in done.stdout + done.stderr


def test_the_end_is_announced(entry: Entry, gateway: Gateway) -> None:
    with entry.client(HOST) as client:
        client.get(gateway.path(), ("Connection", "close"))
        assert client.is_closed()
        assert client.close_notify


def test_handshakes_are_counted(entry: Entry) -> None:
    before = entry.metric("entryproxy_tls_handshakes_total")
    with entry.client(HOST):
        pass
    with pytest.raises(ssl.SSLError):
        wrap(connect(entry.ports["https"]), entry.authority.context(), "unknown.example.org")
    assert entry.metric("entryproxy_tls_handshakes_total") >= before + 2


def _context(entry: Entry, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = entry.authority.context()
    context.minimum_version = context.maximum_version = version
    return context


def _session(entry: Entry, gateway: Gateway, context: ssl.SSLContext, host: str) -> ssl.SSLSession:
    """A session that the entry has just given."""
    with entry.client(host, context=context) as client:
        assert client.get(gateway.path()).status == 200  # in TLS 1.3 the ticket comes after the handshake
        assert client.tls.session is not None
        return client.tls.session
