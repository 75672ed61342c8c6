"""HTTP/1.1 on both sides, well-behaved peers (RFC 9110, RFC 9112)."""

from __future__ import annotations

import pytest

from tests.e2e.clients import chunked
from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry

HOST = "app1.alpha.aigw.example.com"
MEGABYTE = 1_000_000


class TestConnections:
    """Keep-alive, pipelining and their ends."""

    def test_keep_alive(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(HOST) as client:
            for number in range(20):
                answer = client.request("POST", gateway.path(), body=b"%d" % number)
                assert answer.json()["body"] == str(number)

    def test_the_gateways_connection_is_kept_too(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(HOST) as client:
            used = {client.get(gateway.path()).json()["connection"] for _ in range(10)}
        assert len(used) == 1

    def test_pipelined_requests_are_answered_in_order(self, entry: Entry, gateway: Gateway) -> None:
        async def slow(exchange: Exchange) -> None:
            await exchange.read_body()
            await latch.wait()
            await exchange.answer(200, b"slow")

        latch = gateway.latch()
        slow_path, fast_path = gateway.script(slow), gateway.path()
        with entry.client(HOST) as client:
            fields = [("Content-Length", "3")]
            heads = [client.head("POST", slow_path, fields) + b"abc", *[client.head("GET", fast_path)] * 5]
            client.send(b"".join(heads))
            assert client.is_quiet(0.2)
            latch.open()
            answers = [client.response() for _ in range(6)]
        assert answers[0].body == b"slow"
        assert [answer.json()["target"] for answer in answers[1:]] == [fast_path] * 5

    def test_many_pipelined_requests(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(HOST) as client:
            client.send(client.head("GET", path) * 300)
            for _ in range(300):
                assert client.response().json()["target"] == path
        with entry.plain_client(HOST) as client:
            client.send(client.head("GET", "/") * 1000)
            for _ in range(1000):
                assert client.response().status == 308

    def test_a_request_in_single_bytes(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(HOST) as client:
            whole = client.head("POST", path, [("Transfer-Encoding", "chunked")]) + chunked([b"ab", b"c"])
            for octet in whole:
                client.send(bytes([octet]))
            assert client.response().json()["body"] == "abc"

    def test_nothing_after_connection_close_is_processed(self, entry: Entry, gateway: Gateway) -> None:
        first, second = gateway.path(), gateway.path()
        with entry.client(HOST) as client:
            client.send(client.head("GET", first, [("Connection", "close")]) + client.head("GET", second))
            answer = client.response()
            assert answer.get("Connection") == "close"
            assert client.is_closed()
            assert client.close_notify
        assert gateway.seen(second) == []

    def test_one_leading_crlf_is_ignored(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(HOST) as client:
            client.send(b"\r\n" + client.head("GET", gateway.path()))
            assert client.response().status == 200

    def test_connection_close_of_the_gateway_stays_on_its_hop(self, entry: Entry, gateway: Gateway) -> None:
        async def closing(exchange: Exchange) -> None:
            await exchange.answer(
                200, b"bye", [("Connection", "close, X-Private"), ("X-Private", "1"), ("Server", "mine")]
            )
            exchange.close()

        path = gateway.script(closing)
        with entry.client(HOST) as client:
            for _ in range(3):
                answer = client.get(path)
                assert (answer.body, answer.get("Server")) == (b"bye", "mine")
                assert answer.get("X-Private") is None

    @pytest.mark.parametrize("keep_alive", [False, True])
    def test_http_1_0_client(self, entry: Entry, gateway: Gateway, keep_alive: bool) -> None:
        fields = [("Connection", "keep-alive")] if keep_alive else []
        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.path(), fields, version="HTTP/1.0"))
            answer = client.response()
            assert answer.status == 200
            assert answer.get("Transfer-Encoding") is None
            if not keep_alive:
                assert client.is_closed()

    def test_http_1_0_client_gets_a_chunked_answer_unchunked(self, entry: Entry, gateway: Gateway) -> None:
        async def streamed(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked([b"one", b"two"]))

        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(streamed), version="HTTP/1.0"))
            answer = client.response()
        assert answer.body == b"onetwo"
        assert answer.get("Transfer-Encoding") is None

    def test_a_higher_minor_is_served_as_1_1(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, version="HTTP/1.9"))
            assert client.response().version == "HTTP/1.1"
        assert gateway.only(path).version == "HTTP/1.1"


class TestBodies:
    """Framing, both ways."""

    @pytest.mark.parametrize("size", [0, 1, 65_536, 3 * MEGABYTE])
    def test_sized_upload(self, entry: Entry, gateway: Gateway, size: int) -> None:
        path = gateway.path()
        with entry.client(HOST) as client:
            assert client.request("PUT", path, body=bytes(size)).json()["bodyBytes"] == size
        assert gateway.only(path).get("Content-Length") == str(size)

    def test_chunked_upload_with_trailers(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        pieces = [b"x" * 10_000, b"y", b"z" * 70_000]
        with entry.client(HOST) as client:
            client.send(client.head("POST", path, [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")]))
            client.send(chunked(pieces, [("X-Sum", "42"), ("Content-Length", "5"), ("X-Entry-Tenant", "spoofed")]))
            assert client.response().json()["bodyBytes"] == sum(map(len, pieces))
        request = gateway.only(path)
        assert request.body == b"".join(pieces)
        assert request.get("Transfer-Encoding") == "chunked"
        assert request.trailers == [("X-Sum", "42")]

    def test_chunk_extensions_are_dropped(self, entry: Entry, gateway: Gateway) -> None:
        path = gateway.path()
        with entry.client(HOST) as client:
            client.send(client.head("POST", path, [("Transfer-Encoding", "chunked")]))
            client.send(b'3;a=b;c="d\\"e"\r\nabc\r\n000;last\r\n\r\n')
            assert client.response().json()["body"] == "abc"

    def test_chunked_answer_with_trailers(self, entry: Entry, gateway: Gateway) -> None:
        async def streamed(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
            await exchange.send(chunked([b"a" * 5, b"b" * 100_000], [("X-Sum", "7")]))

        path = gateway.script(streamed)
        with entry.client(HOST) as client:
            client.send(client.head("GET", path, [("TE", "trailers"), ("Connection", "TE")]))
            answer = client.response()
            assert answer.body == b"a" * 5 + b"b" * 100_000
            assert answer.trailers == [("X-Sum", "7")]
            assert client.get(gateway.path()).status == 200

    def test_close_delimited_answer(self, entry: Entry, gateway: Gateway) -> None:
        async def until_close(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"c" * 100_000)
            exchange.close()

        with entry.client(HOST) as client:
            answer = client.get(gateway.script(until_close))
            assert answer.body == b"c" * 100_000
            assert answer.get("Transfer-Encoding") == "chunked"
            assert client.get(gateway.path()).status == 200

    def test_http_1_0_gateway(self, entry: Entry, gateway: Gateway) -> None:
        async def old(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")
            exchange.close()

        with entry.client(HOST) as client:
            answer = client.get(gateway.script(old))
        assert (answer.version, answer.body) == ("HTTP/1.1", b"old")

    @pytest.mark.parametrize("status", [204, 304])
    def test_statuses_without_a_body(self, entry: Entry, gateway: Gateway, status: int) -> None:
        async def empty(exchange: Exchange) -> None:
            await exchange.answer(status, fields=[("ETag", '"1"')])

        with entry.client(HOST) as client:
            path = gateway.script(empty)
            for _ in range(2):
                answer = client.get(path)
                assert (answer.status, answer.get("ETag")) == (status, '"1"')
            assert client.get(gateway.path()).status == 200

    def test_head(self, entry: Entry, gateway: Gateway) -> None:
        async def sized(exchange: Exchange) -> None:
            await exchange.answer(200, b"d" * 1234)

        path = gateway.script(sized)
        with entry.client(HOST) as client:
            answer = client.request("HEAD", path)
            assert (answer.status, answer.get("Content-Length")) == (200, "1234")
            assert len(client.get(path).body) == 1234

    def test_a_304_may_name_a_length(self, entry: Entry, gateway: Gateway) -> None:
        async def unchanged(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")

        with entry.client(HOST) as client:
            assert client.get(gateway.script(unchanged)).status == 304
            assert client.get(gateway.path()).status == 200

    def test_large_download(self, entry: Entry, gateway: Gateway) -> None:
        async def large(exchange: Exchange) -> None:
            await exchange.answer(200, bytes(range(256)) * 40_000)

        with entry.client(HOST) as client:
            assert client.get(gateway.script(large)).body == bytes(range(256)) * 40_000


class TestInterim:
    """1xx answers (RFC 9110 §15.2, §10.1.1)."""

    def test_expect_continue_passes_to_the_gateway_and_back(self, entry: Entry, gateway: Gateway) -> None:
        async def continuing(exchange: Exchange) -> None:
            await latch.wait()
            await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await exchange.echo()

        latch = gateway.latch()
        path = gateway.script(continuing)
        with entry.client(HOST) as client:
            client.send(client.head("POST", path, [("Expect", "100-continue"), ("Content-Length", "5")]))
            assert gateway.only(path).get("Expect") == "100-continue"
            assert client.is_quiet(0.2)
            latch.open()
            assert client.response_head().status == 100
            client.send(b"hello")
            assert client.response().json()["body"] == "hello"
            assert client.get(gateway.path()).status == 200

    def test_expect_continue_refused_by_the_gateway(self, entry: Entry, gateway: Gateway) -> None:
        async def refusing(exchange: Exchange) -> None:
            await exchange.answer(403, b"no", [("Connection", "close")])
            exchange.close()

        path = gateway.script(refusing)
        with entry.client(HOST) as client:
            client.send(client.head("POST", path, [("Expect", "100-continue"), ("Content-Length", "5")]))
            assert client.response().status == 403
        assert not gateway.only(path).complete

    def test_unknown_expectation(self, entry: Entry, gateway: Gateway) -> None:
        with entry.client(HOST) as client:
            assert client.get(gateway.path(), ("Expect", "the impossible")).status == 417

    def test_interim_answers_pass_in_order(self, entry: Entry, gateway: Gateway) -> None:
        async def hinting(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            await exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            await exchange.answer(200, b"done")

        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(hinting)))
            heads = [client.response_head() for _ in range(2)]
            assert [head.status for head in heads] == [102, 103]
            assert heads[1].get("Link") == "</style.css>; rel=preload"
            assert client.response().body == b"done"

    def test_a_1_0_client_gets_no_interim_answer(self, entry: Entry, gateway: Gateway) -> None:
        async def hinting(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await exchange.answer(200, b"done")

        with entry.client(HOST) as client:
            client.send(client.head("GET", gateway.script(hinting), version="HTTP/1.0"))
            assert client.response_head().status == 200


class TestEarlyAnswers:
    """The gateway answers while the upload still runs."""

    def test_an_early_answer_reaches_the_client_at_once(self, entry: Entry, gateway: Gateway) -> None:
        async def early(exchange: Exchange) -> None:
            await exchange.answer(200, b"already")
            await exchange.read_body()

        path = gateway.script(early)
        with entry.client(HOST) as client:
            client.send(client.head("POST", path, [("Content-Length", "10")]) + b"hello")
            assert client.response().body == b"already"
            client.try_send(b"world")
        exchange = gateway.only(path)
        assert exchange.finished.wait(5)

    def test_a_refusal_in_mid_upload_is_seen(self, entry: Entry, gateway: Gateway) -> None:
        async def refusing(exchange: Exchange) -> None:
            await exchange.read(1000)
            await exchange.answer(413, b"too much", [("Connection", "close")])
            while await exchange.read():  # lingers, as a server must (RFC 9112 §9.6)
                pass
            exchange.close()

        path = gateway.script(refusing)
        with entry.client(HOST) as client:
            client.send(client.head("POST", path, [("Content-Length", str(50 * MEGABYTE))]))
            client.try_send(b"x" * MEGABYTE)
            assert client.response().status == 413

    def test_both_directions_at_once(self, entry: Entry, gateway: Gateway) -> None:
        async def duplex(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while piece := await exchange.read_chunk():
                await exchange.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await exchange.send(b"0\r\n\r\n")

        with entry.client(HOST) as client:
            client.send(client.head("POST", gateway.script(duplex), [("Transfer-Encoding", "chunked")]))
            assert client.response_head().status == 200
            for word in (b"ping", b"pong", b"p" * 30_000):
                client.send(b"%x\r\n%b\r\n" % (len(word), word))
                echoed = b""
                while len(echoed) < len(word):
                    echoed += client.read_chunk()
                assert echoed == word
            client.send(b"0\r\n\r\n")
            assert client.read_chunk() == b""
