"""Session tickets: the same tenant resumes in any worker, another tenant's mean nothing."""

from __future__ import annotations

import ssl

import pytest

from entryproxy.edge import libssl
from entryproxy.edge.contexts import server_context
from entryproxy.edge.tickets import share_tickets, ticket_keys
from tests.certificates import Authority, Pair
from tests.edge.network import make_certificate

_SECRET = bytes(range(32))
_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("a.example")


def server(pair: Pair, keys: bytes | None) -> ssl.SSLContext:
    """A context as another worker would make it."""
    context = server_context(make_certificate(pair, "t", "a.example"), "1.2")
    if keys is not None:
        assert share_tickets(context, keys)
    return context


def connect(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool]:
    """One handshake over memory: the client's session after it, and whether the server resumed one."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="a.example", session=session)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    pending = [here, there]
    for _ in range(10):
        for side in list(pending):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            pending.remove(side)
    assert not pending
    there.write(b"x")
    assert here.read(1) == b"x"  # and the ticket that came before it
    return here.session, bool(there.session_reused)


def test_keys_depend_on_secret_and_tenant_only() -> None:
    assert ticket_keys(_SECRET, "a") == ticket_keys(_SECRET, "a")
    keys = {ticket_keys(secret, tenant) for secret in (_SECRET, bytes(32)) for tenant in ("", "a", "b", "ab")}
    assert len(keys) == 8
    assert {len(key) for key in keys} == {80}
    names = {key[:16] for key in keys}
    assert len(names) == 8, "a key's name must tell it from all others"


@pytest.mark.parametrize("version", _VERSIONS)
def test_sessions_resume_in_another_worker(authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    client = authority.context()
    client.maximum_version = version
    keys = ticket_keys(_SECRET, "a")
    session, reused = connect(client, server(pair, keys), None)
    assert not reused
    for _ in range(3):
        session, reused = connect(client, server(pair, keys), session)
        assert reused


@pytest.mark.parametrize("version", _VERSIONS)
def test_sessions_do_not_cross_tenants(authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    client = authority.context()
    client.maximum_version = version
    session, _ = connect(client, server(pair, ticket_keys(_SECRET, "a")), None)
    _, reused = connect(client, server(pair, ticket_keys(_SECRET, "b")), session)
    assert not reused


@pytest.mark.parametrize("version", _VERSIONS)
def test_without_shared_keys_only_the_issuer_resumes(authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    client = authority.context()
    client.maximum_version = version
    issuer = server(pair, None)
    session, _ = connect(client, issuer, None)
    assert connect(client, issuer, session)[1]
    assert not connect(client, server(pair, None), session)[1]


def test_an_unreachable_libssl_is_said_once_and_costs_no_handshake(
    authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(libssl, "_control", [])
    monkeypatch.setattr("entryproxy.edge.libssl.sys.implementation.name", "other")
    context = server(pair, None)
    assert not share_tickets(context, ticket_keys(_SECRET, "a"))
    assert not share_tickets(context, ticket_keys(_SECRET, "a"))
    assert caplog.text.count("libssl is out of reach") == 1
    connect(authority.context(), context, None)
