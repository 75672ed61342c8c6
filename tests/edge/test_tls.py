"""TLS on a client's connection: a real client over memory, a TCP connection that the test plays."""

from __future__ import annotations

import ssl

import pytest

from entryproxy.edge.tls import RECORD_BYTES
from entryproxy.model.tenant import Platform, Tenant
from tests.certificates import Authority, Pair
from tests.edge.conftest import MakeWorld
from tests.edge.network import SYSTEM_DOMAIN, TlsClient, World, answer, make_certificate, make_tenant, request, trusting
from tests.preface.hellos import body, extension, message, real_hello, records, server_name, vector

NAME = "tenant1." + SYSTEM_DOMAIN
CUSTOM = "app.customer.com"


@pytest.fixture(scope="module")
def platform_pair(authority: Authority) -> Pair:
    return authority.issue(f"*.{SYSTEM_DOMAIN}", SYSTEM_DOMAIN)


@pytest.fixture(scope="module")
def custom_pair(authority: Authority) -> Pair:
    return authority.issue(CUSTOM)


@pytest.fixture
async def tls_world(make_world: MakeWorld, platform_pair: Pair, custom_pair: Pair) -> World:
    return make_tls_world(make_world, platform_pair, custom_pair)


def make_tls_world(make_world: MakeWorld, platform_pair: Pair, custom_pair: Pair, **options: object) -> World:
    certificate = make_certificate(platform_pair, "system", f"*.{SYSTEM_DOMAIN}", SYSTEM_DOMAIN)
    platform = Platform(system_domain=SYSTEM_DOMAIN, certificates=(certificate,))
    return make_world(*tenants(custom_pair), platform=platform, **options)


def tenants(custom_pair: Pair) -> tuple[Tenant, ...]:
    custom = make_certificate(custom_pair, "tenant2", CUSTOM)
    return make_tenant(), make_tenant("tenant2", domains=(CUSTOM,), certificates=(custom,))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_request_over_tls(tls_world: World, authority: Authority, version: ssl.TLSVersion) -> None:
    client = TlsClient(tls_world, trusting(authority, version), NAME).handshake()
    assert client.link.server_tenant == "tenant1"
    client.send(request())
    await tls_world.settle()
    assert b"X-Forwarded-Proto: https\r\n" in tls_world.gateway.take()
    tls_world.gateway.feed(answer(b"hello"))
    assert client.receive() == answer(b"hello").replace(b"Content-Length: 5\r\n", b"").replace(
        b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"
    )
    assert tls_world.report.handshakes == {"full": 1}
    assert tls_world.logged[0]["tlsVersion"] == client.tls.version()
    client.transport.lose()
    tls_world.check_at_rest()


async def test_a_handshake_may_come_byte_by_byte(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    for byte in client._outgoing.read():
        client.transport.feed(bytes((byte,)))
    client.pull()
    client.tls.do_handshake()
    finished_and_request = client._outgoing.read() + client.encrypt(request())
    client.transport.feed(finished_and_request)
    await tls_world.settle()
    assert tls_world.gateway.take().startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("segment_bytes", [1_460, 200_000])
async def test_openssl_gets_the_largest_hello_that_it_takes(tls_world: World, segment_bytes: int) -> None:
    offers = extension(10, vector(2, b"\x00\x17")) + extension(13, vector(2, b"\x04\x03"))
    offers += extension(11, vector(1, b"\x00")) + server_name(NAME.encode())
    offers += extension(21, bytes(65_535 - 4 - len(offers)))
    ciphers = b"\xc0\x2b\xc0\x2f".ljust(65_534, b"\x0a")  # GREASE behind two suites of TLS 1.2
    hello = body(session_id=bytes(32), ciphers=ciphers, compressions=bytes(255), extensions=offers)
    assert len(hello) == 131_396
    client = tls_world_client(tls_world, b"")
    whole = records(message(hello))
    for start in range(0, len(whole), segment_bytes):
        client.transport.feed(whole[start : start + segment_bytes])
    assert client.link.server_tenant == "tenant1"
    assert client.transport.take().startswith(b"\x16\x03\x03"), "a ServerHello"


async def test_a_refused_hello_in_pieces_is_forgotten(tls_world: World) -> None:
    hello = real_hello("unknown.example")
    client = tls_world_client(tls_world, hello[:100])
    assert client.transport.take() == b""
    client.transport.feed(hello[100:])
    assert client.transport.take() == b"\x15\x03\x03\x00\x02\x02\x70"
    assert client.link._hello_reader is None
    client.transport.feed(real_hello(NAME))
    assert client.transport.take() == b"", "thrown away while lingering"
    assert tls_world.report.handshakes == {"unrecognized_name": 1}


@pytest.mark.parametrize("name", ["unknown.example", None, "127.0.0.1"])
async def test_unknown_names_get_their_alert(tls_world: World, name: str | None) -> None:
    client = tls_world_client(tls_world, real_hello(name))
    assert client.transport.take() == b"\x15\x03\x03\x00\x02\x02\x70"
    assert client.transport.eof, "half-closed, so that the alert arrives"
    assert tls_world.report.handshakes == {"unrecognized_name": 1}
    tls_world.turn(tls_world.edge.limits.linger_seconds + 1)
    assert client.transport.aborted
    client.transport.lose()
    tls_world.check_at_rest()


def tls_world_client(world: World, data: bytes, *, peer: str = "192.0.2.1") -> TlsClient:
    """A client that says just `data`."""
    client = TlsClient(world, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "unused", peer=peer)
    client.transport.feed(data)
    return client


async def test_plain_http_on_the_tls_port_gets_an_alert(tls_world: World) -> None:
    client = tls_world_client(tls_world, request())
    assert client.transport.take()[:1] in (b"\x15", b"")
    assert client.transport.eof
    assert tls_world.report.handshakes == {"malformed": 1}


async def test_old_versions_are_refused(tls_world: World, authority: Authority) -> None:
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    client = TlsClient(tls_world, context, NAME)
    with pytest.raises(ssl.SSLError):
        client.handshake()
    assert client.transport.eof or client.transport.is_closing()
    assert sum(tls_world.report.handshakes.values()) == 1
    assert "full" not in tls_world.report.handshakes


async def test_a_dribbled_hello_meets_its_deadline(tls_world: World) -> None:
    client = tls_world_client(tls_world, real_hello(NAME)[:100])
    tls_world.turn(tls_world.edge.limits.handshake_seconds + 1)
    assert client.transport.aborted
    assert tls_world.report.handshakes == {"timeout": 1}
    client.transport.lose()
    tls_world.check_at_rest()


async def test_another_tenants_host_is_misdirected(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), CUSTOM).handshake()
    client.send(request())
    assert client.receive().startswith(b"HTTP/1.1 421 ")
    client.transport.lose()
    tls_world.check_at_rest()


async def test_a_remembered_head_is_no_way_around_the_server_name(tls_world: World, authority: Authority) -> None:
    first = TlsClient(tls_world, trusting(authority), NAME).handshake()
    first.send(request())
    await tls_world.settle()
    tls_world.gateway.take()
    second = TlsClient(tls_world, trusting(authority), CUSTOM).handshake()
    second.send(request())
    assert second.receive().startswith(b"HTTP/1.1 421 ")
    assert len(tls_world.loop.connections) == 1


async def test_a_tenants_share_of_the_worker(
    make_world: MakeWorld, platform_pair: Pair, custom_pair: Pair, authority: Authority
) -> None:
    world = make_tls_world(make_world, platform_pair, custom_pair, connections_per_tenant_max=1)
    first = TlsClient(world, trusting(authority), NAME).handshake()
    second = tls_world_client(world, real_hello(NAME))
    assert second.transport.take() == b"\x15\x03\x03\x00\x02\x02\x50"
    TlsClient(world, trusting(authority), CUSTOM).handshake()
    first.transport.lose()
    TlsClient(world, trusting(authority), NAME).handshake()
    second.transport.lose()
    assert world.state().connections == 1


# -- records


async def test_large_writes_are_cut_into_records(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    body = bytes(range(256)) * 500
    client.send(request())
    await tls_world.settle()
    client.transport.writes.clear()
    tls_world.gateway.feed(answer(body))
    assert max(client.transport.writes) <= RECORD_BYTES + 256
    assert client.receive().endswith(body)


async def test_small_pieces_share_a_record(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    client.transport.writes.clear()
    client.link.writelines([b"a", b"b" * 100, memoryview(b"c" * 20_000), b"d", b"e"])
    assert len(client.transport.writes) == 4
    assert client.receive() == b"a" + b"b" * 100 + b"c" * 20_000 + b"de"


async def test_a_record_whose_last_byte_comes_alone_costs_no_more(tls_world: World, authority: Authority) -> None:
    """How much is read at a time must not follow the size of the segment that completed the record."""
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    client.send(request(b"POST", b"/", b"Content-Length: 16000"))
    await tls_world.settle()
    tls_world.gateway.take()
    tls_world.gateway.writes.clear()
    record = client.encrypt(bytes(16_000))
    client.transport.feed(record[:-1])
    client.transport.feed(record[-1:])
    assert tls_world.gateway.take() == bytes(16_000)
    assert len(tls_world.gateway.writes) <= 2


async def test_many_records_in_one_read(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    head = request(b"POST", b"/", b"Content-Length: 200000")
    client.transport.feed(client.encrypt(head) + client.encrypt(bytes(200_000)))
    await tls_world.settle()
    assert tls_world.gateway.take().endswith(bytes(200_000))


async def test_garbage_records_end_the_connection_without_a_goodbye(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    client.send(request())
    await tls_world.settle()
    client.transport.feed(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert client.transport.is_closing()
    assert not client.transport.aborted, "the alert is flushed"
    with pytest.raises(ssl.SSLError):
        client.receive()
    client.transport.lose()
    assert tls_world.gateway.aborted
    tls_world.gateway.lose()
    tls_world.check_at_rest()


# -- ends


async def test_the_clients_close_notify_ends_everything(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    client.send(request())
    await tls_world.settle()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.push()
    assert client.transport.is_closing()
    assert tls_world.gateway.aborted
    tls_world.gateway.lose()
    client.transport.lose()
    tls_world.check_at_rest()
    assert [line["status"] for line in tls_world.logged] == [499]


async def test_a_complete_end_has_a_close_notify_and_a_cut_one_has_not(tls_world: World, authority: Authority) -> None:
    for complete in (True, False):
        client = TlsClient(tls_world, trusting(authority), NAME).handshake()
        client.send(request(b"GET", b"/", b"Connection: close"))
        await tls_world.settle()
        whole = answer(b"0123456789")
        tls_world.gateway.feed(whole[:-1])
        if complete:
            tls_world.gateway.feed(whole[-1:])
        else:
            tls_world.gateway.lose()
        assert client.transport.is_closing()
        client.receive()
        client._incoming.write_eof()
        if complete:
            assert client.tls.read() == b"", "close_notify"
        else:
            with pytest.raises(ssl.SSLEOFError):
                client.tls.read()


async def test_lingering_throws_away_what_comes_and_has_a_bound(
    make_world: MakeWorld, platform_pair: Pair, custom_pair: Pair, authority: Authority
) -> None:
    world = make_tls_world(make_world, platform_pair, custom_pair, linger_bytes_max=10_000)
    client = TlsClient(world, trusting(authority), NAME).handshake()
    client.send(b"nonsense\r\n\r\n")
    assert client.receive().startswith(b"HTTP/1.1 400 ")
    assert client.transport.eof
    assert client.transport.is_reading()
    client.transport.feed(bytes(9_000))
    assert not client.transport.is_closing()
    client.transport.feed(bytes(9_000))
    assert client.transport.aborted
    client.transport.lose()
    world.check_at_rest()


async def test_after_the_end_writes_are_harmless(tls_world: World, authority: Authority) -> None:
    client = TlsClient(tls_world, trusting(authority), NAME).handshake()
    link = client.link
    link.close()
    client.pull()
    for _ in range(2):
        link.write(b"late")
        link.writelines([b"late", bytes(20_000)])
        link.pause_reading()
        link.resume_reading()
        link.close()
        link.close_lingering()
        link.cut()
        assert client.transport.take() == b""
        assert link.unsent_bytes() == 0
        if not client.transport.lost:
            client.transport.lose()
    link.abort()
    tls_world.check_at_rest()


async def test_proxy_header_before_tls(
    make_world: MakeWorld, platform_pair: Pair, custom_pair: Pair, authority: Authority
) -> None:
    certificate = make_certificate(platform_pair, "system", f"*.{SYSTEM_DOMAIN}", SYSTEM_DOMAIN)
    platform = Platform(system_domain=SYSTEM_DOMAIN, certificates=(certificate,), trusted_proxies=("10.0.0.0/8",))
    world = make_world(*tenants(custom_pair), platform=platform, proxy_protocol=True)
    client = TlsClient(world, trusting(authority), NAME, peer="10.1.2.3")
    header = b"PROXY TCP4 203.0.113.9 10.0.0.1 1234 443\r\n"
    client.transport.feed(header[:10])
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.transport.feed(header[10:] + client._outgoing.read())
    client.handshake()
    client.send(request())
    await world.settle()
    assert b"X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n" in world.gateway.take()
