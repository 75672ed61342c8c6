"""Gateways that break off, speak nonsense or are not there: 502 and 503, and no exchange suffers from another."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from tests.e2e.clients import chunked
from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry

HOST = "app1.alpha.aigw.example.com"
OK = b"HTTP/1.1 200 OK\r\n"

NONSENSE = {
    "garbage": b"\x00\x01\x02 garbage\r\n\r\n",
    "HTTP/2": b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\r\n\r\n",
    "two codes": b"HTTP/1.1 200 200\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "version": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status out of range": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "status too short": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "length and coding": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "signed length": OK + b"Content-Length: +5\r\n\r\nhello",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "coding in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "obs-fold": OK + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"Content-Length : 0\r\n\r\n",
    "bare LF": OK + b"X-A: b\nSet-Cookie: c\r\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + b"X-A: b\rSet-Cookie: c\r\nContent-Length: 0\r\n\r\n",
    "NUL": OK + b"X-A: b\0c\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "huge head": OK + b"X-A: " + b"a" * 300_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "interim answers without end": b"HTTP/1.1 102 Processing\r\n\r\n" * 5_000,
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    "bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
}


async def close_at_once(exchange: Exchange) -> None:
    exchange.close()


async def reset_at_once(exchange: Exchange) -> None:
    exchange.reset()


async def close_within_the_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.close()


async def reset_within_the_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.reset()


async def close_after_interim(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    exchange.close()


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(entry: Entry, gateway: Gateway, name: str) -> None:
    async def nonsense(exchange: Exchange) -> None:
        await exchange.send(NONSENSE[name])

    with entry.client(HOST) as client:
        client.send(client.head("GET", gateway.script(nonsense)))
        if name == "bad chunk size":
            assert b"hello" not in client.read_to_end()
        else:
            answer = client.response()
            assert (answer.status, answer.get("Content-Type")) == (502, "application/problem+json")
    with entry.client(HOST) as client:
        assert client.get(gateway.path()).status == 200


@pytest.mark.parametrize(
    "script",
    [close_at_once, reset_at_once, close_within_the_head, reset_within_the_head, close_after_interim],
)
def test_breaking_off_before_the_answer(
    entry: Entry, gateway: Gateway, script: Callable[[Exchange], Awaitable[None]]
) -> None:
    path = gateway.script(script)
    before = entry.metric("entryproxy_gateway_errors_total", tenant="alpha")
    with entry.client(HOST) as client:
        answer = client.request("POST", path, body=b"hello")
        assert answer.status == 502
        assert answer.json()["requestId"] == gateway.only(path).get("X-Request-Id")
        assert client.get(gateway.path()).status == 200
    assert entry.metric("entryproxy_gateway_errors_total", tenant="alpha") > before
    line = entry.logged(path)
    assert line["status"] == 502
    assert line["error"]


def test_more_than_the_length_says_is_not_the_next_answer(entry: Entry, gateway: Gateway) -> None:
    async def too_much(exchange: Exchange) -> None:
        poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood" + poison)

    path = gateway.script(too_much)
    with entry.client(HOST) as client:
        for _ in range(5):
            assert client.get(path).body == b"good"
            assert client.get(gateway.path()).json()["method"] == "GET"


def test_bytes_sent_while_idle_are_not_the_next_answer(entry: Entry, gateway: Gateway) -> None:
    async def late_poison(exchange: Exchange) -> None:
        await exchange.answer(200, b"good")
        await latch.wait()
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    latch = gateway.latch()
    path = gateway.script(late_poison)
    with entry.client(HOST) as client:
        assert client.get(path).body == b"good"
        latch.open()
        assert gateway.only(path).finished.wait(5)
        for _ in range(5):
            assert client.get(gateway.path()).json()["method"] == "GET"


def test_a_body_after_a_204_is_not_the_next_answer(entry: Entry, gateway: Gateway) -> None:
    async def talkative(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    path = gateway.script(talkative)
    with entry.client(HOST) as client:
        for _ in range(5):
            assert client.get(path).status == 204
            assert client.get(gateway.path()).json()["method"] == "GET"


class TestStaleConnections:
    """A pooled connection that the gateway has closed."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
    def test_an_idempotent_request_is_sent_again_on_a_new_connection(
        self, entry: Entry, gateway: Gateway, method: str
    ) -> None:
        path = gateway.script(_dead_when_reused())
        with entry.client(HOST) as client:
            for _ in range(4):
                assert client.request(method, path).status == 200

    @pytest.mark.parametrize("framing", ["sized", "chunked"])
    def test_a_body_is_never_cut_by_sending_again(self, entry: Entry, gateway: Gateway, framing: str) -> None:
        path = gateway.script(_dead_when_reused())
        body = b"x" * 50_000
        with entry.client(HOST) as client:
            for _ in range(6):
                if framing == "sized":
                    answer = client.request("PUT", path, body=body)
                else:
                    client.send(client.head("PUT", path, [("Transfer-Encoding", "chunked")]) + chunked([body]))
                    answer = client.response()
                assert answer.status in (200, 502)
        assert {exchange.body for exchange in gateway.seen(path)} == {body}

    def test_a_post_is_not_sent_again(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.script(_dead_when_reused())
        with entry.client(HOST) as client:
            statuses = [client.request("POST", path, body=b"pay").status for _ in range(8)]
        assert set(statuses) == {200, 502}
        assert len(gateway.seen(path)) == len(statuses)

    def test_a_get_is_not_sent_twice_on_fresh_connections(self, entry: Entry, gateway: Gateway) -> None:
        async def refuse(exchange: Exchange) -> None:
            exchange.reset()

        path = gateway.script(refuse)
        with entry.client("app1.strict.aigw.example.com") as client:
            assert client.get(path).status == 502
        assert len(gateway.seen(path)) <= 2
        assert sum(1 for one in gateway.seen(path) if _is_first_on_its_connection(gateway, one)) == 1


class TestAddresses:
    """Connecting, and which address is used."""

    def test_no_gateway_reachable(self, entry: Entry) -> None:
        with entry.client("app1.down.aigw.example.com") as client:
            for _ in range(5):
                answer = client.get("/")
                assert answer.status == 503
                assert int(answer.get("Retry-After") or "") >= 1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_the_next_address_is_tried(self, entry: Entry, gateway: Gateway, method: str) -> None:
        with entry.client("app1.spare.aigw.example.com") as client:
            for _ in range(10):
                answer = client.request(method, gateway.path(), [("Connection", "keep-alive")], body=b"hello")
                assert (answer.status, answer.json()["body"]) == (200, "hello")

    def test_a_failing_address_is_left_alone_for_a_while(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client("app1.spare.aigw.example.com") as client:
            for _ in range(10):
                client.get(gateway.path())
            before = entry.metric("entryproxy_gateway_errors_total", tenant="spare")
            for _ in range(20):
                assert client.get(gateway.path()).status == 200
        assert entry.metric("entryproxy_gateway_errors_total", tenant="spare") <= before + 1


def _dead_when_reused() -> Callable[[Exchange], Awaitable[None]]:
    """Answers the first request of a connection and resets at its second, before any answer byte."""
    served: set[int] = set()

    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        if exchange.connection in served:
            exchange.reset()
            return
        served.add(exchange.connection)
        await exchange.answer(200, json.dumps({"connection": exchange.connection}).encode())

    return script


def _is_first_on_its_connection(gateway: Gateway, exchange: Exchange) -> bool:
    return next(one for one in list(gateway.requests) if one.connection == exchange.connection) is exchange
