"""A client's HTTP/1.1 connection as a playbook: what the client says, what the gateway hears, and back."""

from __future__ import annotations

import json
import re

import pytest

from entryproxy.model.tenant import Limits
from tests.edge.conftest import MakeWorld
from tests.edge.network import HOST, World, answer, make_tenant, request


def statuses(data: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) [A-Z]", data)]


# -- nothing of a body is ever taken for a request


async def test_body_of_a_request_over_the_rate_is_not_a_request(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(limits=Limits(requests_per_second=1), budget_slot=7))
    smuggled = request(b"GET", b"/smuggled")
    first, second = world.client(), world.client()
    first.feed(request())
    second.feed(request(b"POST", b"/", b"Content-Length: %d" % len(smuggled), body=smuggled))
    await world.settle()
    assert statuses(second.take()) == [429]
    assert second.eof, "a body that is not read ends the connection, politely"
    world.gateway.feed(answer())
    first.finish()
    first.lose()
    second.lose()
    assert len(world.logged) == 2
    world.check_at_rest()


async def test_body_over_the_concurrency_that_comes_later_is_not_a_request(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(limits=Limits(connections=1), budget_slot=8))
    first, second = world.client(), world.client()
    first.feed(request())
    second.feed(request(b"POST", b"/", b"Transfer-Encoding: chunked"))
    assert statuses(second.take()) == [503]
    assert second.eof
    second.feed(request(b"GET", b"/smuggled"))
    await world.settle()
    assert second.take() == b""
    assert b"smuggled" not in world.gateway.take()
    world.gateway.feed(answer())
    first.lose()
    second.lose()
    assert world.edge.budgets.concurrent(8) == 0
    world.check_at_rest()


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("split", [False, True])
async def test_rest_of_an_upload_after_an_early_answer_is_not_a_request(
    world: World, framing: bytes, split: bool
) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", framing))
    await world.settle()
    early = answer(b"early")
    for part in (early[:-2], early[-2:]) if split else (early,):
        world.gateway.feed(part)
    assert client.take().endswith(b"early")
    assert client.eof, "the rest of the body could not be told from the next request"
    client.feed(request(b"GET", b"/smuggled"))
    await world.settle()
    assert client.take() == b""
    assert b"smuggled" not in world.gateway.take()
    client.lose()
    world.gateway.lose()
    world.check_at_rest()


async def test_a_gateway_connection_may_carry_any_number_of_interim_answers(world: World) -> None:
    """The bound is per answer; the common answer behind an interim one must not leave its count behind."""
    client = world.client()
    for _ in range(20):
        client.feed(request(b"POST", b"/", b"Content-Length: 2", b"Expect: 100-continue"))
        await world.settle()
        world.gateway.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.feed(b"ab")
        world.gateway.feed(answer(b"ok"))
        assert statuses(client.take()) == [200]
    assert len(world.loop.connections) == 1


async def test_interim_answers_without_end_are_cut(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    for _ in range(16):
        world.gateway.feed(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert statuses(client.take()) == [102] * 16
    world.gateway.feed(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert statuses(client.take()) == [502]
    assert world.gateway.aborted


async def test_a_connection_that_the_gateway_is_closing_takes_no_request(world: World) -> None:
    """A POST could not be tried again; between FIN and connection_lost the loop may run others."""
    gateway = await world.warm()
    gateway.finish()
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 1", body=b"x"))
    await world.settle()
    assert gateway.take() == b""
    assert world.gateway is not gateway
    world.gateway.feed(answer())
    assert statuses(client.take()) == [200]
    gateway.lose()
    world.check_at_rest()


async def test_a_connection_that_spoke_unasked_takes_no_request(world: World) -> None:
    gateway = await world.warm()
    gateway.feed(answer(b"stale"))
    assert gateway.aborted
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 1", body=b"x"))
    await world.settle()
    world.gateway.feed(answer(b"fresh"))
    assert client.take().endswith(b"fresh")
    gateway.lose()
    world.check_at_rest()


# -- ends


async def test_half_close_of_a_client_that_does_not_read_has_a_deadline(world: World) -> None:
    client = world.client()
    client.stalled = True
    client.feed(request())
    await world.settle()
    world.gateway.feed(answer(bytes(10)).replace(b"Content-Length: 10", b"Content-Length: 1000"))
    client.finish()
    world.gateway.lose()
    world.turn(world.edge.limits.flush_seconds + 1)
    assert client.aborted
    client.lose()
    world.check_at_rest()


async def test_drain_ends_a_connection_after_the_answer_under_way(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    whole = answer(b"0123456789")
    world.gateway.feed(whole[:-5])
    world.edge.draining = True
    assert client.protocol is not None
    client.protocol.drain()  # type: ignore[attr-defined]
    assert client.open
    world.gateway.feed(whole[-5:])
    assert client.is_closing()
    client.lose()


async def test_drain_ends_a_connection_after_a_refusal_of_ours(world: World) -> None:
    client = world.client()
    client.feed(request(b"POST", b"/", b"Content-Length: 1", body=b"x"))
    await world.settle()
    world.edge.draining = True
    client.protocol.drain()  # type: ignore[union-attr]
    world.gateway.lose()
    data = client.take()
    assert statuses(data) == [502]
    assert b"\r\nConnection: close\r\n" in data
    assert client.is_closing() or client.eof
    client.lose()


async def test_lingering_is_not_cut_short_by_the_deadline_of_the_request(make_world: MakeWorld) -> None:
    world = make_world(linger_seconds=100)
    client = world.client()
    client.feed(b"nonsense\r\n\r\n")
    assert statuses(client.take()) == [400]
    assert client.eof
    world.turn(world.edge.limits.head_seconds + 1)
    assert client.open
    world.turn(101)
    assert client.aborted
    client.lose()


async def test_pipelined_bytes_behind_a_cut_answer_are_not_answered(world: World) -> None:
    client = world.client()
    client.stalled = True
    client.feed(request())
    client.feed(b"GET /next HT")
    await world.settle()
    world.gateway.feed(answer(bytes(10))[:-5])
    world.gateway.lose()
    assert client.is_closing()
    world.turn(1_000)
    assert [line["status"] for line in world.logged] == [200]
    assert world.report.rejected == {}
    client.lose()


# -- pipelining


async def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    client = world.client()
    client.feed(b"".join(request(b"GET", b"/%d" % number) for number in range(5)))
    await world.settle()
    for number in range(5):
        assert world.gateway.take().startswith(b"GET /%d " % number)
        world.gateway.feed(answer(b"answer %d" % number))
    received = client.take()
    assert [received.index(b"answer %d" % number) for number in range(5)] == sorted(
        received.index(b"answer %d" % number) for number in range(5)
    )
    assert len(world.loop.connections) == 1


async def test_pipelined_requests_that_we_answer_ourselves(world: World) -> None:
    client = world.client()
    client.feed(request(host=b"unknown.example") * 50 + request(b"GET", b"/last"))
    await world.settle()
    world.gateway.feed(answer(b"last"))
    data = client.take()
    assert statuses(data) == [404] * 50 + [200]
    assert client.open


async def test_nothing_after_connection_close_is_processed(world: World) -> None:
    client = world.client()
    client.feed(request(b"GET", b"/", b"Connection: close") + request(b"GET", b"/next"))
    await world.settle()
    world.gateway.feed(answer())
    data = client.take()
    assert statuses(data) == [200]
    assert b"Connection: close\r\n" in data
    assert client.eof, "with lingering, since bytes are unread"
    assert b"/next" not in world.gateway.take()
    client.feed(request(b"GET", b"/next"))
    assert client.take() == b""


async def test_a_long_pipeline_holds_the_client_until_it_is_looked_at(make_world: MakeWorld) -> None:
    world = make_world(pipelined_bytes_max=2_000)
    client = world.client()
    client.feed(request())
    await world.settle()
    many = request(b"GET", b"/pipelined") * 60
    client.feed(many)
    assert not client.is_reading()
    answered = 0
    while not client.is_reading():
        world.gateway.feed(answer())
        answered += 1
        assert answered < 60
    while answered < 61:
        world.gateway.feed(answer())
        answered += 1
    assert statuses(client.take()) == [200] * 61
    assert client.is_reading()


async def test_a_held_pipeline_of_one_large_upload_goes_on(make_world: MakeWorld) -> None:
    """What waited was the start of a body, not many requests: the rest must be read."""
    world = make_world(pipelined_bytes_max=2_000)
    client = world.client()
    client.feed(request())
    await world.settle()
    client.feed(request(b"POST", b"/", b"Content-Length: 10000", body=bytes(5_000)))
    assert not client.is_reading()
    world.gateway.feed(answer())
    assert client.is_reading()
    client.feed(bytes(5_000))
    assert world.gateway.take().endswith(bytes(10_000))
    world.gateway.feed(answer())
    assert statuses(client.take()) == [200, 200]


async def test_a_held_pipeline_that_is_answered_at_once_goes_on(make_world: MakeWorld) -> None:
    world = make_world(pipelined_bytes_max=2_000)
    client = world.client()
    client.feed(request())
    await world.settle()
    client.feed(request(host=b"unknown.example") * 60)
    assert not client.is_reading()
    world.gateway.feed(answer())
    assert statuses(client.take()) == [200] + [404] * 60
    assert client.is_reading()
    client.feed(request())
    world.gateway.feed(answer())
    assert statuses(client.take()) == [200]


async def test_a_held_pipeline_of_a_client_that_does_not_read(make_world: MakeWorld) -> None:
    world = make_world(pipelined_bytes_max=2_000, client_write_high_bytes=1_000)
    client = world.client()
    client.stalled = True
    client.feed(request(host=b"unknown.example") * 60)
    answered = len(statuses(bytes(client.sent)))
    assert answered < 20, "answers are not made for those who don't read them"
    assert not client.is_reading()
    client.drain()
    assert statuses(client.take()) == [404] * 60
    assert client.is_reading()


# -- limits of heads


@pytest.mark.parametrize("fields_known", [False, True])
@pytest.mark.parametrize("size", [1, 100, 100_000])
async def test_long_request_lines(world: World, size: int, fields_known: bool) -> None:
    if fields_known:  # known fields must be no way around the limit of the line
        client = world.client()
        client.feed(request())
        await world.settle()
        world.gateway.feed(answer())
        client.lose()
    client = world.client()
    data = request(b"GET", b"/" + b"a" * 9_000)
    for at in range(0, len(data), size):
        if client.sent:
            break
        client.feed(data[at : at + size])
    assert statuses(client.take()) == [414]
    assert client.eof


@pytest.mark.parametrize("size", [1_000, 100_000])
async def test_long_heads(world: World, size: int) -> None:
    client = world.client()
    data = request(b"GET", b"/", *[b"A%d: " % number + b"x" * 1_000 for number in range(40)])
    for at in range(0, len(data), size):
        if client.sent:
            break
        client.feed(data[at : at + size])
    assert statuses(client.take()) == [431]


async def test_many_fields(world: World) -> None:
    client = world.client()
    client.feed(request(b"GET", b"/", *[b"A%d: x" % number for number in range(100)]))
    assert statuses(client.take()) == [431]


async def test_an_endless_line_is_cut_at_the_limit(world: World) -> None:
    client = world.client()
    fed = 0
    while not client.sent:
        client.feed(b"G" * 1_000)
        fed += 1_000
    assert fed <= 10_000
    assert statuses(client.take()) == [414]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
async def test_what_is_refused_ends_the_connection(world: World, data: bytes, status: int) -> None:
    for size in (1, len(data)):
        client = world.client()
        for at in range(0, len(data), size):
            if not client.sent:
                client.feed(data[at : at + size])
        assert statuses(client.take()) == [status]
        assert client.eof
        client.feed(request())
        assert client.take() == b""
        client.lose()
    world.check_at_rest()


async def test_one_leading_crlf_is_ignored(world: World) -> None:
    for size in (1, 2, 3, 1_000):
        client = world.client()
        data = b"\r\n" + request(b"GET", b"/here")
        for at in range(0, len(data), size):
            client.feed(data[at : at + size])
        await world.settle()
        assert world.gateway.take().startswith(b"GET /here ")
        world.gateway.feed(answer())
        client.lose()


@pytest.mark.parametrize("parts", [(b"\r\n\r\nGET",), (b"\r\n\r\n", b"GET")])
async def test_a_second_leading_crlf_is_not(world: World, parts: tuple[bytes, ...]) -> None:
    client = world.client()
    for part in parts:
        client.feed(part)
    client.feed(b" / HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n")
    assert statuses(client.take()) == [400]


async def test_empty_lines_buy_no_time(world: World) -> None:
    client = world.client()
    deadline = world.http_of(client).deadline
    for _ in range(5):
        client.feed(b"\r")
        client.feed(b"\n")
    assert world.http_of(client).deadline == deadline
    assert client.open


# -- keep-alive


@pytest.mark.parametrize(
    ("data", "goes_on"),
    [
        (request(), True),
        (request(b"GET", b"/", b"Connection: close"), False),
        (request(b"GET", b"/", b"Connection: Close, X"), False),
        (b"GET / HTTP/1.0\r\nHost: " + HOST + b"\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nHost: " + HOST + b"\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.9\r\nHost: " + HOST + b"\r\n\r\n", True),
        (b"GET http://" + HOST + b"/ HTTP/1.1\r\nHost: other.example\r\n\r\n", True),
    ],
)
@pytest.mark.parametrize("host_known", [True, False])
async def test_which_connections_go_on(world: World, data: bytes, goes_on: bool, host_known: bool) -> None:
    for _ in range(2):  # the second time the head may be remembered
        client = world.client()
        client.feed(data if host_known else data.replace(b"tenant1", b"nobody"))
        await world.settle()
        if host_known:
            world.gateway.feed(answer())
        received = client.take()
        assert statuses(received) == [200 if host_known else 404]
        assert (b"\r\nConnection: close\r\n" in received) is not goes_on
        assert (client.open and not client.eof) is goes_on
        client.lose()
    world.check_at_rest()


async def test_requests_per_connection(make_world: MakeWorld) -> None:
    world = make_world(requests_per_connection_max=3)
    client = world.client()
    for number in range(3):
        client.feed(request())
        await world.settle()
        world.gateway.feed(answer())
        assert client.is_closing() is (number == 2)
    assert client.take().count(b"Connection: close") == 1


async def test_idle_connections_end(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    world.gateway.feed(answer())
    client.take()
    world.turn(world.edge.limits.keepalive_idle_seconds - 1)
    assert client.open
    world.turn(world.edge.limits.keepalive_idle_seconds + 1)
    assert client.is_closing()
    assert client.take() == b""


async def test_a_head_that_dribbles_on_a_used_connection(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    world.gateway.feed(answer())
    client.take()
    client.feed(b"GET / HT")
    world.turn(world.edge.limits.head_seconds - 1)
    client.feed(b"TP")
    world.turn(world.edge.limits.head_seconds + 1)
    assert statuses(client.take()) == [408], "more bytes give no more time"


async def test_draining_answers_end_their_connections(world: World) -> None:
    client = world.client()
    client.feed(request())
    await world.settle()
    world.edge.draining = True
    world.gateway.feed(answer())
    assert b"\r\nConnection: close\r\n" in client.take()
    assert client.is_closing()


# -- our own answers


async def test_our_own_answers(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(https_redirect=True), make_tenant("tenant2"))
    client = world.client()
    client.feed(request(b"GET", b"/a?b"))
    data = client.take()
    assert statuses(data) == [308]
    assert b"\r\nLocation: https://" + HOST + b"/a?b\r\n" in data
    client.feed(request(b"OPTIONS", b"*", b"Max-Forwards: 0", host=b"tenant2.aigw.example.com"))
    data = client.take()
    assert statuses(data) == [200]
    assert b"\r\nAllow: " in data
    client.feed(request(b"HEAD", b"/", host=b"unknown.example"))
    data = client.take()
    assert statuses(data) == [404]
    assert data.endswith(b"\r\n\r\n")
    client.feed(request(b"GET", b"/", b"Accept: text/html", host=b"unknown.example"))
    assert b"<!doctype html>" in client.take()
    client.feed(request(b"POST", b"/", b"Content-Length: 5"))
    assert b"\r\nConnection: close\r\n" in client.take()
    assert client.eof
    client.lose()
    world.check_at_rest()
    assert [line["status"] for line in world.logged] == [308, 200, 404, 404, 308]


async def test_problem_documents(world: World) -> None:
    client = world.client()
    client.feed(request(host=b"unknown.example"))
    head, _, body = client.take().partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert problem["status"] == 404
    assert problem["title"] == "Not Found"
    assert f"X-Request-Id: {problem['requestId']}".encode() in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert world.logged[0]["requestId"] == problem["requestId"]
    assert world.logged[0]["tenant"] is None
    assert world.report.rejected == {"unknown_host": 1}
