"""Limits of a tenant: rate, concurrency and body size, over all workers, and without a neighbour noticing."""

from __future__ import annotations

import contextlib
import time

from tests.e2e.clients import chunked
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry


def test_rate(entry: Entry, gateway: Gateway) -> None:
    host = "app1.rated.aigw.example.com"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(entry.client(host)) for _ in range(8)]
        answers = [clients[turn % len(clients)].get(gateway.path()) for turn in range(40)]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) <= 15
    for answer in answers:
        if answer.status == 429:
            assert int(answer.get("Retry-After") or "") >= 1
            assert answer.get("Content-Type") == "application/problem+json"
    assert entry.metric("entryproxy_rejected_requests_total") >= statuses.count(429)
    with entry.client("app1.alpha.aigw.example.com") as client:
        assert all(client.get(gateway.path()).status == 200 for _ in range(20))
    time.sleep(1.1)
    with entry.client(host) as client:
        assert client.get(gateway.path()).status == 200


def test_concurrent_requests(entry: Entry, gateway: Gateway) -> None:
    async def held(exchange: Exchange) -> None:
        await latch.wait()
        await exchange.answer(200, b"held")

    host = "app1.busy.aigw.example.com"
    latch = gateway.latch()
    path = gateway.script(held)
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(entry.client(host)) for _ in range(2)]
        for client in holders:
            client.send(client.head("GET", path))
        wait_until(lambda: len(gateway.seen(path)) == 2, "the requests under way never arrived")
        time.sleep(0.3)  # budgets are shared between workers within a moment
        for _ in range(6):
            with entry.client(host) as client:
                answer = client.get(path)
                assert answer.status == 503
                assert int(answer.get("Retry-After") or "") >= 1
        latch.open()
        assert [client.response().status for client in holders] == [200, 200]
        wait_until(lambda: holders[0].get(gateway.path()).status == 200, "the budget was not given back")
    assert len(gateway.seen(path)) == 2


class TestBodySize:
    """A tenant with requestBodyBytes: 1000."""

    HOST = "app1.small.aigw.example.com"

    def test_at_the_limit(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(self.HOST) as client:
            assert client.request("POST", gateway.path(), body=bytes(1000)).json()["bodyBytes"] == 1000
            client.send(client.head("POST", gateway.path(), [("Transfer-Encoding", "chunked")]))
            client.send(chunked([bytes(500), bytes(500)]))
            assert client.response().json()["bodyBytes"] == 1000

    def test_a_length_over_the_limit_never_reaches_the_gateway(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(self.HOST) as client:
            assert client.request("POST", path, body=bytes(1001)).status == 413
        assert gateway.seen(path) == []

    def test_the_answer_does_not_wait_for_the_body(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(self.HOST) as client:
            fields = [("Content-Length", "1000000"), ("Expect", "100-continue")]
            client.send(client.head("POST", gateway.path(), fields))
            assert client.response_head().status == 413

    def test_the_answer_arrives_although_the_client_goes_on_sending(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(self.HOST) as client:
            client.send(client.head("POST", gateway.path(), [("Content-Length", "800000")]))
            client.try_send(bytes(800_000))
            assert client.response().status == 413

    def test_chunks_over_the_limit(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(self.HOST) as client:
            client.send(client.head("POST", path, [("Transfer-Encoding", "chunked")]))
            client.try_send(chunked([bytes(600), bytes(600)]))
            assert client.response().status == 413
        for exchange in gateway.seen(path):
            assert exchange.finished.wait(5)
            assert not exchange.complete
