"""Heads remembered byte for byte, and how they read at a gateway and at a client."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from entryproxy.edge.heads import AnswerMemory, KnownRequest, forwarded_fields, trusted_request_id
from entryproxy.errors import EntryError
from entryproxy.http1.request import parse_request_fields
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform
from entryproxy.routing.match import Route
from entryproxy.routing.table import RoutingTable
from tests.edge.conftest import MakeWorld
from tests.edge.network import DATE, HOST, World, answer, make_tenant


def block(*lines: bytes, host: bytes = HOST) -> bytes:
    return b"Host: " + host + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def find(world: World, *lines: bytes, host: bytes = HOST) -> KnownRequest:
    return world.edge.requests_tls.find(block(*lines, host=host))


# -- remembering requests


async def test_same_bytes_same_object(world: World) -> None:
    assert find(world, b"A: 1") is find(world, b"A: 1")
    assert find(world, b"A: 1") is not find(world, b"A:  1")
    assert world.edge.requests_plain.find(block(b"A: 1")) is not find(world, b"A: 1")


async def test_the_memory_is_bounded_in_number_and_size(make_world: MakeWorld) -> None:
    world = make_world(remembered_heads_max=8, remembered_head_bytes_max=200)
    for number in range(100):
        find(world, b"A: %d" % number)
        assert len(world.edge.requests_tls.known) <= 8
    long = b"B: " + bytes(300).replace(b"\0", b"x")
    assert find(world, long) is not find(world, long)
    assert all(len(key) <= 200 for key in world.edge.requests_tls.known)


@pytest.mark.parametrize("lines", [(b"Content-Length: x",), (b"Host: again",), (b"Bad Name: x",)])
async def test_what_is_malformed_is_not_remembered(world: World, lines: tuple[bytes, ...]) -> None:
    for _ in range(2):
        with pytest.raises(EntryError):
            find(world, *lines)
    assert not world.edge.requests_tls.known


async def test_without_a_host(world: World) -> None:
    with pytest.raises(EntryError) as caught:
        world.edge.requests_tls.find(b"A: 1\r\n\r\n")
    assert (caught.value.status, caught.value.close) == (400, True)


async def test_a_new_snapshot_leads_anew(world: World) -> None:
    known = find(world, host=b"app.customer.com")
    assert (known.refusal is None, known.common, known.tenant_id) == (False, False, "")
    world.apply(make_tenant("tenant2", domains=("app.customer.com",)))
    assert find(world, host=b"app.customer.com") is known
    assert (known.refusal is None, known.common, known.tenant_id) == (True, True, "tenant2")
    assert known.state is world.state("tenant2")
    assert b"X-Entry-Tenant: tenant2\r\n" in known.forwarded
    world.apply(make_tenant("tenant2"), make_tenant("tenant1", domains=("app.customer.com",)))
    assert b"X-Entry-Tenant: tenant1\r\n" in find(world, host=b"app.customer.com").forwarded
    world.apply(removed=("tenant1",))
    assert find(world, host=b"app.customer.com").refusal is not None
    assert (known.common, known.tenant_id, known.state is None) == (False, "", True)


async def test_the_kind_of_a_domain_may_change_with_the_system_domain(world: World) -> None:
    host = b"tenant1.other.example"
    world.apply(make_tenant(domains=(host.decode(),)))
    assert b"X-Entry-Domain-Type: custom\r\n" in find(world, host=host).forwarded
    world.platform = Platform(system_domain="other.example")
    world.apply(make_tenant())
    assert b"X-Entry-Domain-Type: system\r\n" in find(world, host=host).forwarded


async def test_remembered_heads_keep_no_table_of_the_past(world: World) -> None:
    """A head that came once, long ago, keeps its tenant at most, not the whole configuration of its day."""
    for number in range(50):
        find(world, b"A: %d" % number)
        find(world, b"A: %d" % number, host=b"unknown.example")
        world.apply(make_tenant(hsts=f"max-age={number}"))
    gc.collect()
    alive = [one for one in gc.get_objects() if isinstance(one, Snapshot | RoutingTable)]
    ours = [one for one in alive if one.tenants.get("tenant2") is world.edge.table.tenants["tenant2"]]
    assert len(ours) == 1


async def test_requests_that_need_no_second_look(world: World) -> None:
    table: dict[tuple[bytes, ...], bool] = {
        (): True,
        (b"Content-Length: 0",): True,
        (b"Content-Length: 1",): False,
        (b"Transfer-Encoding: chunked",): False,
        (b"Expect: 100-continue",): False,
        (b"Max-Forwards: 0",): False,
        (b"Connection: upgrade", b"Upgrade: x"): False,
        (b"Connection: upgrade", b"Upgrade: h2c"): True,
        (b"Connection: close",): True,
    }
    for lines, common in table.items():
        assert find(world, *lines).common is common, lines
    assert not find(world, b"Connection: close").keeps_alive
    assert find(world).keeps_alive


async def test_what_port_80_redirects_is_not_common(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(https_redirect=True))
    assert not world.edge.requests_plain.find(block()).common
    assert world.edge.requests_tls.find(block()).common


# -- the unusual: absolute-form and HTTP/1.0


async def test_absolute_form_wins_over_host(world: World) -> None:
    known = world.edge.requests_tls.find_as(block(host=b"unknown.example"), HOST + b":8443", 1, "")
    assert known.tenant_id == "tenant1"
    assert known.forwarded.startswith(b"Host: " + HOST + b":8443\r\n")
    assert not world.edge.requests_tls.known, "the map's keys hold no request lines"


async def test_absolute_form_needs_host_all_the_same(world: World) -> None:
    with pytest.raises(EntryError):
        world.edge.requests_tls.find_as(b"\r\n", HOST, 1, "")
    assert world.edge.requests_tls.find_as(b"\r\n", HOST, 0, "").tenant_id == "tenant1"


async def test_http_1_0_may_leave_the_host_to_the_server_name(world: World) -> None:
    assert world.edge.requests_tls.find_as(b"\r\n", None, 0, HOST.decode()).tenant_id == "tenant1"
    known = world.edge.requests_tls.find_as(b"\r\n", None, 0, "")
    assert known.tenant_id == ""
    assert known.refusal is not None


async def test_http_1_0_has_none_of_the_newer_fields(world: World) -> None:
    lines = block(b"Connection: upgrade, TE", b"Upgrade: websocket", b"Expect: 100-continue", b"TE: trailers")
    known = world.edge.requests_tls.find_as(lines, None, 0, "")
    for name in (b"Upgrade", b"Expect", b"TE", b"Connection"):
        assert b"\r\n" + name + b":" not in known.forwarded
    with pytest.raises(EntryError) as caught:
        world.edge.requests_tls.find_as(block(b"Transfer-Encoding: chunked"), None, 0, "")
    assert (caught.value.status, caught.value.close) == (400, True)


@pytest.mark.parametrize(
    "lines", [(b"Via: 1.1 entryproxy, 1.1 entryproxy",), (b"via:1.1 entryproxy,x", b"Via: 1.1 entryproxy")]
)
async def test_what_a_gateway_sends_back_does_not_go_round_for_ever(
    make_world: MakeWorld, lines: tuple[bytes, ...]
) -> None:
    world = make_world(hops_max=2)
    known = find(world, b"Via: 1.1 entryproxy, 1.1 other, 1.1 entryproxy2")
    assert (known.refusal, known.hops, known.common) == (None, 1, False)
    for looping in (find(world, *lines), world.edge.requests_tls.find_as(block(*lines), None, 0, "")):
        assert looping.refusal is not None and not looping.common
        assert (looping.refusal.status, looping.refusal.reason, looping.tenant_id) == (508, "loop", "tenant1")


# -- what the gateway gets

_ROUTE = Route(make_tenant(), "app1", "system")
_ENTRYS = (
    b"X-Entry-Tenant: tenant1\r\nX-Entry-Domain-Type: system\r\nVia: %b1.1 entryproxy\r\nX-Entry-Service: app1\r\n"
)


@pytest.mark.parametrize(
    ("lines", "secure", "trusted", "expected"),
    [
        (
            (b"Host: a.b:8443", b"A: 1", b"X-Entry-Tenant: evil", b"X-Forwarded-Proto: evil"), True, False,
            b"Host: a.b:8443\r\nA: 1\r\nX-Forwarded-Host: a.b:8443\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Port: 8443\r\n" + _ENTRYS % b"",
        ),
        (
            (b"Host: a.b", b"X-Forwarded-Proto: https", b"Via: 1.0 x", b"Forwarded: for=x"), False, False,
            b"Host: a.b\r\nX-Forwarded-Host: a.b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"
            + _ENTRYS % b"",
        ),
        (
            (b"Host: a.b", b"X-Forwarded-Proto: https", b"Via: 1.0 x", b"Forwarded: for=x"), False, True,
            b"Host: a.b\r\nForwarded: for=x\r\nX-Forwarded-Host: a.b\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Port: 443\r\n" + _ENTRYS % b"1.0 x, ",
        ),
        (
            (b"Host: a", b"Via: 1.0 x, 1.1 entryproxy", b"Via:1.1 entryproxy,1.1 y"), True, False,
            b"Host: a\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
            + _ENTRYS % b"1.1 entryproxy, 1.1 entryproxy, ",
        ),
        (
            (b"Host: a", b"Via: 1.1 entryproxy, 1.0 x"), True, True,
            b"Host: a\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
            + _ENTRYS % b"1.1 entryproxy, 1.0 x, ",
        ),
        (
            (b"Host: a.b", b"X-Forwarded-Host: c.d", b"X-Forwarded-Port: 1234"), True, True,
            b"Host: a.b\r\nX-Forwarded-Host: c.d\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1234\r\n"
            + _ENTRYS % b"",
        ),
        (
            (b"Host: a.b:99", b"X-Forwarded-Proto: http"), True, True,
            b"Host: a.b:99\r\nX-Forwarded-Host: a.b:99\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 99\r\n"
            + _ENTRYS % b"",
        ),
        (
            (b"Host: a", b"Content-Length: 7"), True, False,
            b"Host: a\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
            + _ENTRYS % b"" + b"Content-Length: 7\r\n",
        ),
        (
            (b"Host: a", b"Transfer-Encoding: chunked", b"TE: trailers", b"Expect: 100-continue", b"Max-Forwards: 3"),
            True, False,
            b"Host: a\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
            + _ENTRYS % b"" + b"Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n"
            b"Expect: 100-continue\r\nMax-Forwards: 2\r\n",
        ),
        (
            (b"Host: a", b"Connection: X-Entry-Tenant, keep-alive, B, upgrade", b"B: 2", b"Upgrade: websocket"),
            True, False,
            b"Host: a\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
            + _ENTRYS % b"" + b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        ),
    ],
)  # fmt: skip
def test_forwarded_fields(lines: tuple[bytes, ...], secure: bool, trusted: bool, expected: bytes) -> None:
    fields = parse_request_fields(b"".join(line + b"\r\n" for line in lines))
    assert forwarded_fields(fields, _ROUTE, secure, trusted=trusted) == expected


@pytest.mark.parametrize(
    ("value", "kept"),
    [(b"abc-123", True), (b"a" * 128, True), (b"a" * 129, False), (b"", False), (b'a"b', False), (b"a b", False)],
)
def test_request_ids_of_trusted_proxies(value: bytes, kept: bool) -> None:
    assert trusted_request_id(value) == (value if kept else b"")


# -- answers


def test_answers_are_remembered_within_bounds() -> None:
    memory = AnswerMemory(4, 200)
    head = answer()
    assert memory.find(head) is memory.find(head)
    for number in range(50):
        memory.find(answer(b"", b"A: %d" % number))
        assert len(memory.known) <= 4
    memory.find(answer(b"", b"A: " + b"x" * 300))
    assert all(len(key) <= 200 for key in memory.known)
    with pytest.raises(EntryError) as caught:
        memory.find(b"HTTP/1.1 xyz\r\n\r\n")
    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (answer(b"12345")[:-5], 5),
        (answer(b"", date=False), -1),
        (answer(b"", b"Connection: close"), -1),
        (answer(b"", status=b"204 No Content"), -1),
        (answer(b"", status=b"205 Reset Content"), -1),
        (answer(b"", status=b"304 Not Modified"), -1),
        (answer(b"", status=b"404 Not Found"), 0),
        (b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\n", -1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + b"\r\n", -1),
        (b"HTTP/1.1 100 Continue\r\n\r\n", -1),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" + DATE + b"\r\n", -1),
    ],
)
def test_common_answers(head: bytes, length: int) -> None:
    assert AnswerMemory(4, 1_000).find(head).length == length


def test_hsts_takes_the_place_of_the_gateways() -> None:
    known: Any = AnswerMemory(4, 1_000).find(answer(b"", b"Strict-Transport-Security: max-age=1", b"A: 1"))
    assert known.whole == (
        b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nA: 1\r\n" + DATE + b"Content-Length: 0\r\n\r\n"
    )
    for value in (b"max-age=2", b"max-age=2", b"max-age=3"):
        assert known.whole_with(value, close=False) == (
            b"HTTP/1.1 200 OK\r\nA: 1\r\n"
            + DATE
            + b"Strict-Transport-Security: %b\r\nContent-Length: 0\r\n\r\n" % value
        )
