"""What a request must satisfy before its gateway hears of it."""

from __future__ import annotations

import base64
import gc
import hashlib
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest

from entryproxy.edge.heads import KnownRequest
from entryproxy.edge.policy import check_request, is_upgrade_answer, redirect_location
from entryproxy.edge.transport import ClientTransport
from entryproxy.errors import EntryError, Source
from entryproxy.http1.request import RequestLine, parse_request_fields
from entryproxy.http1.response import parse_response_head
from tests.edge.conftest import MakeWorld
from tests.edge.network import HOST, World, make_tenant, request

_GET = RequestLine(b"GET", b"/", 1, None)
_KEY = base64.b64encode(bytes(16))


def known_of(world: World, *fields: bytes, host: bytes = HOST, secure: bool = True) -> KnownRequest:
    memory = world.edge.requests_tls if secure else world.edge.requests_plain
    return memory.find(request(b"GET", b"/", *fields, host=host).partition(b"\r\n")[2])


def link_of(tenant: str | None = None, *, trusted: bool = False) -> ClientTransport:
    return cast(ClientTransport, SimpleNamespace(server_tenant=tenant, trusted=trusted))


@pytest.mark.parametrize(
    ("server_tenant", "host", "status"),
    [
        (None, HOST, None),
        ("tenant1", HOST, None),
        ("tenant2", HOST, 421),
        ("", HOST, 421),
        ("tenant1", b"unknown.example", 421),
        (None, b"unknown.example", 404),
        ("", b"unknown.example", 404),
        (None, b"nobody.aigw.example.com", 404),
        (None, b"a.b.tenant1.aigw.example.com", 404),
    ],
)
async def test_server_name_and_host(world: World, server_tenant: str | None, host: bytes, status: int | None) -> None:
    known = known_of(world, host=host)
    if status is None:
        check_request(link_of(server_tenant), known, _GET)
        return
    with pytest.raises(EntryError) as caught:
        check_request(link_of(server_tenant), known, _GET)
    assert caught.value.status == status
    assert caught.value.close == (status == 421)


async def test_a_request_that_goes_round_is_the_gateway_s_fault(world: World) -> None:
    known = known_of(world, b"Via: " + b", ".join([b"1.1 entryproxy"] * world.edge.limits.hops_max))
    with pytest.raises(EntryError) as caught:
        check_request(link_of("tenant1"), known, _GET)
    assert (caught.value.status, caught.value.source) == (508, Source.GATEWAY)
    with pytest.raises(EntryError, match="different tenants"):
        check_request(link_of("tenant2"), known, _GET)


async def test_a_remembered_refusal_keeps_no_connection(world: World) -> None:
    """The same 404 again and again: neither the exception nor what its traceback would hold may pile up."""

    class Connection(SimpleNamespace):
        pass

    known = known_of(world, host=b"unknown.example")
    gone = []
    for _ in range(3):
        link = Connection(server_tenant=None, trusted=False)
        gone.append(weakref.ref(link))
        with pytest.raises(EntryError):
            check_request(cast(ClientTransport, link), known, _GET)
        del link
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]
    assert known.refusal is not None
    assert known.refusal.__traceback__ is None


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        (b"GET", (b"Sec-WebSocket-Key: " + _KEY, b"Sec-WebSocket-Version: 13"), None),
        (b"GET", (b"Sec-WebSocket-Version: 13",), 400),
        (b"GET", (b"Sec-WebSocket-Key: " + _KEY,), 400),
        (b"POST", (b"Sec-WebSocket-Key: " + _KEY, b"Sec-WebSocket-Version: 13"), 400),
        (b"GET", (b"Sec-WebSocket-Key: " + _KEY, b"Sec-WebSocket-Version: 8"), 426),
        (b"GET", (b"Sec-WebSocket-Key: AAAA", b"Sec-WebSocket-Version: 13"), 400),
        (b"GET", (b"Sec-WebSocket-Key: !" + _KEY, b"Sec-WebSocket-Version: 13"), 400),
        (b"GET", (b"Sec-WebSocket-Key: ===", b"Sec-WebSocket-Version: 13"), 400),
    ],
)
async def test_websocket_handshakes(world: World, method: bytes, fields: tuple[bytes, ...], status: int | None) -> None:
    known = known_of(world, b"Connection: Upgrade", b"Upgrade: WebSocket", *fields)
    line = RequestLine(method, b"/", 1, None)
    if status is None:
        check_request(link_of(), known, line)
    else:
        with pytest.raises(EntryError) as caught:
            check_request(link_of(), known, line)
        assert caught.value.status == status


async def test_other_upgrades_need_no_websocket_fields(world: World) -> None:
    check_request(link_of(), known_of(world, b"Connection: upgrade", b"Upgrade: sockets/1"), _GET)


_ACCEPT = base64.b64encode(hashlib.sha1(_KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


@pytest.mark.parametrize(
    ("asked", "answered", "fits"),
    [
        (b"websocket", b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + _ACCEPT, True),
        (b"websocket", b"Upgrade: WebSocket\r\nSec-WebSocket-Accept: " + _ACCEPT, True),
        (b"websocket", b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + _KEY, False),
        (b"websocket", b"Upgrade: websocket", False),
        (b"websocket", b"Upgrade: other", False),
        (b"websocket", b"", False),
        (b"", b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + _ACCEPT, False),
        (b"one, two", b"Upgrade: two", True),
        (b"one, two", b"Upgrade: two, three", False),
    ],
)
def test_switching_protocols(asked: bytes, answered: bytes, fits: bool) -> None:
    lines = b"Host: a\r\nConnection: upgrade\r\nSec-WebSocket-Key: " + _KEY + b"\r\n"
    fields = parse_request_fields(lines + (b"Upgrade: " + asked + b"\r\n" if asked else b""))
    head = parse_response_head(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        + (answered + b"\r\n" if answered else b"")
        + b"\r\n"
    )
    assert is_upgrade_answer(fields, head) is fits


@pytest.mark.parametrize(
    ("host", "target", "ports", "location"),
    [
        (HOST, b"/a?b=c", (443, 80), "https://tenant1.aigw.example.com/a?b=c"),
        (HOST + b":80", b"/", (443, 80), "https://tenant1.aigw.example.com/"),
        (HOST + b":8080", b"/", (8443, 8080), "https://tenant1.aigw.example.com:8443/"),
        (HOST + b":8081", b"/", (8443, 8080), "https://tenant1.aigw.example.com/"),
        (HOST, b"/", (8443, 8080), "https://tenant1.aigw.example.com/"),
        (HOST, b"*", (443, 80), None),
        (b"unknown.example", b"/", (443, 80), None),
    ],
)
async def test_redirects(
    make_world: MakeWorld, host: bytes, target: bytes, ports: tuple[int, int], location: str | None
) -> None:
    world = make_world(make_tenant(https_redirect=True))
    world.edge.https_port, world.edge.http_port = ports
    known = known_of(world, host=host, secure=False)
    assert redirect_location(world.edge, link_of(), known, target) == location


@pytest.mark.parametrize(
    ("trusted", "proto", "redirected"), [(True, b"https", False), (True, b"http", True), (False, b"https", True)]
)
async def test_a_trusted_proxy_that_speaks_https_is_not_sent_there(
    make_world: MakeWorld, trusted: bool, proto: bytes, redirected: bool
) -> None:
    world = make_world(make_tenant(https_redirect=True))
    known = known_of(world, b"X-Forwarded-Proto: " + proto, secure=False)
    link: Any = link_of(trusted=trusted)
    assert (redirect_location(world.edge, link, known, b"/") is not None) is redirected
