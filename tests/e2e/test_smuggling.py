"""Requests whose end two parsers could see differently, or plainly malformed ones: refused, closed, not passed on."""

from __future__ import annotations

import pytest

from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry

HOST = "app1.alpha.aigw.example.com"
POST = b"POST {path} HTTP/1.1\r\nHost: app1.alpha.aigw.example.com\r\n"
GET = b"GET {path} HTTP/1.1\r\nHost: app1.alpha.aigw.example.com\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = b"0\r\n\r\n"

HEADS = {
    # -- two framings
    "length and coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + EMPTY,
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + EMPTY,
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    # -- lengths that int() takes
    "plus": POST + b"Content-Length: +5\r\n\r\nhello",
    "minus": POST + b"Content-Length: -5\r\n\r\nhello",
    "underscore": POST + b"Content-Length: 1_0\r\n\r\nhellohello",
    "hexadecimal": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "inner space": POST + b"Content-Length: 1 0\r\n\r\nhellohello",
    "vertical tab": POST + b"Content-Length: \x0b5\r\n\r\nhello",
    "other digits": POST + "Content-Length: ٥\r\n\r\nhello".encode(),
    "superscript": POST + b"Content-Length: \xb2\r\n\r\nhello",
    "no length": POST + b"Content-Length:\r\n\r\n",
    "endless length": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nhello",
    # -- transfer codings
    "unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + EMPTY,
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + EMPTY,
    "not final": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + EMPTY,
    "gzip before": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + EMPTY,
    "twice in a list": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + EMPTY,
    "twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + EMPTY,
    "twice, one unknown": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n" + EMPTY,
    "parameter": POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n" + EMPTY,
    "quoted": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + EMPTY,
    "vertical tab before chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + EMPTY,
    "empty coding": POST + b"Transfer-Encoding:\r\n\r\n" + EMPTY,
    "trailing comma": POST + b"Transfer-Encoding: chunked,\r\n\r\n" + EMPTY,
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + EMPTY,
    "coding in 1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + EMPTY,
    # -- fields
    "space before the colon": POST + b"Content-Length : 5\r\n\r\nhello",
    "coding with space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + EMPTY,
    "obs-fold": GET + b"X-A: b\r\n c\r\n\r\n",
    "first line folded": GET.replace(b"Host", b" Host") + b"\r\n",
    "bare LF": GET + b"X-A: b\nX-C: d\r\n\r\n",
    "bare CR": GET + b"X-A: b\rX-C: d\r\n\r\n",
    "only LFs": b"GET {path} HTTP/1.1\nHost: app1.alpha.aigw.example.com\n\n",
    "LF before the end": GET + b"X-A: b\r\n\n",
    "NUL in a value": GET + b"X-A: b\0c\r\n\r\n",
    "DEL in a value": GET + b"X-A: b\x7fc\r\n\r\n",
    "control octet in a value": GET + b"X-A: b\x01c\r\n\r\n",
    "no colon": GET + b"X-A\r\n\r\n",
    "no name": GET + b": x\r\n\r\n",
    "a name that is no token": GET + b"X(A): b\r\n\r\n",
    "obs-text in a name": GET + b"X\xe4: b\r\n\r\n",
    # -- Host
    "no Host": b"GET {path} HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: app1.alpha.aigw.example.com\r\n\r\n",
    "two different Hosts": GET + b"Host: shop.beta.example\r\n\r\n",
    "Host with a path": b"GET {path} HTTP/1.1\r\nHost: app1.alpha.aigw.example.com/x\r\n\r\n",
    "Host with userinfo": b"GET {path} HTTP/1.1\r\nHost: me@app1.alpha.aigw.example.com\r\n\r\n",
    "Host with a bad port": b"GET {path} HTTP/1.1\r\nHost: app1.alpha.aigw.example.com:4x3\r\n\r\n",
    "a list of Hosts": b"GET {path} HTTP/1.1\r\nHost: app1.alpha.aigw.example.com, other\r\n\r\n",
    "Host only look-alike": b"GET {path} HTTP/1.1\r\nHost\t: app1.alpha.aigw.example.com\r\n\r\n",
    # -- request line
    "two spaces": GET.replace(b"GET ", b"GET  ") + b"\r\n",
    "tab": GET.replace(b"GET ", b"GET\t") + b"\r\n",
    "trailing space": GET.replace(b"HTTP/1.1", b"HTTP/1.1 ") + b"\r\n",
    "no version": b"GET {path}\r\nHost: app1.alpha.aigw.example.com\r\n\r\n",
    "HTTP/2.0": GET.replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n",
    "HTTP/0.9": GET.replace(b"HTTP/1.1", b"HTTP/0.9") + b"\r\n",
    "lower-case http": GET.replace(b"HTTP/1.1", b"http/1.1") + b"\r\n",
    "long version": GET.replace(b"HTTP/1.1", b"HTTP/1.01") + b"\r\n",
    "method that is no token": GET.replace(b"GET", b"G@T") + b"\r\n",
    "fragment": GET.replace(b"{path}", b"{path}#a") + b"\r\n",
    "raw octet above 0x7F": GET.replace(b"{path}", b"{path}\xc3\xa4") + b"\r\n",
    "control octet in the target": GET.replace(b"{path}", b"{path}\x01") + b"\r\n",
    "target without a slash": GET.replace(b"{path}", b"x{path}") + b"\r\n",
    "userinfo": GET.replace(b"{path}", b"https://me@app1.alpha.aigw.example.com{path}") + b"\r\n",
    "other scheme": GET.replace(b"{path}", b"ftp://app1.alpha.aigw.example.com{path}") + b"\r\n",
    "asterisk with GET": GET.replace(b"{path}", b"*") + b"\r\n",
    "CONNECT": GET.replace(b"GET {path}", b"CONNECT app1.alpha.aigw.example.com:443") + b"\r\n",
    "TRACE": GET.replace(b"GET", b"TRACE") + b"\r\n",
    "two leading CRLFs": b"\r\n\r\n" + GET + b"\r\n",
    "leading space": b" " + GET + b"\r\n",
    "prior-knowledge HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}  # fmt: skip

CHUNKS = {
    "space before the size": b" 5\r\nhello\r\n",
    "space after the size": b"5 \r\nhello\r\n",
    "signed size": b"+5\r\nhello\r\n",
    "negative size": b"-5\r\nhello\r\n",
    "prefixed size": b"0x5\r\nhello\r\n",
    "underscore": b"0_5\r\nhello\r\n",
    "no size": b"\r\nhello\r\n",
    "no digits": b"g\r\nhello\r\n",
    "only an extension": b";a=b\r\nhello\r\n",
    "overflow": b"1" + b"0" * 16 + b"5\r\nhello\r\n",
    "leading zeros without end": b"0" * 2000 + b"5\r\nhello\r\n",
    "LF after the size": b"5\nhello\r\n",
    "CR after the size": b"5\rhello\r\n",
    "LF after the data": b"5\r\nhello\n",
    "too much data": b"5\r\nhelloX\r\n",
    "too little data": b"5\r\nhell\r\n0\r\n\r\n",
    "LF in an extension": b"5;a\nb\r\nhello\r\n",
    "CR in an extension": b"5;a=\rb\r\nhello\r\n",
    "NUL in an extension": b"5;a=\0\r\nhello\r\n",
    "endless extension": b"5;" + b"a" * 5000 + b"\r\nhello\r\n",
    "LF after the last chunk": b"0\n\r\n",
    "trailer with a space before the colon": b"0\r\nX-A : b\r\n\r\n",
    "trailer without a colon": b"0\r\nX-A\r\n\r\n",
    "folded trailer": b"0\r\nX-A: b\r\n c\r\n\r\n",
    "LF in a trailer": b"0\r\nX-A: b\nX-C: d\r\n\r\n",
    "endless trailers": b"0\r\n" + b"X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n" * 500 + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_a_malformed_head_is_refused_and_the_connection_closed(entry: Entry, gateway: Gateway, name: str) -> None:
    first, second = gateway.path(), gateway.path()
    with entry.client(HOST) as client:
        client.try_send(HEADS[name].replace(b"{path}", first.encode()))
        client.try_send(client.head("GET", second))
        answer = client.response()
        assert 400 <= answer.status < 500 or answer.status in (501, 505)
        assert answer.get("Connection") == "close"
        assert client.is_closed()
        assert not client.reset
    assert gateway.seen(first) == []
    assert gateway.seen(second) == []


@pytest.mark.parametrize("name", CHUNKS)
def test_a_malformed_chunked_body_never_completes(entry: Entry, gateway: Gateway, name: str) -> None:
    first, second = gateway.path(), gateway.path()
    with entry.client(HOST) as client:
        client.try_send(CHUNKED.replace(b"{path}", first.encode()) + CHUNKS[name])
        client.try_send(EMPTY + client.head("GET", second))
        answer = client.response()
        assert answer.status == 400
        assert answer.get("Connection") == "close"
        assert client.is_closed()
    for exchange in gateway.seen(first):
        assert exchange.finished.wait(5)
        assert not exchange.complete
    assert gateway.seen(second) == []


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("CONNECT", 405),
        ("TRACE", 405),
        ("HTTP/2.0", 505),
        ("unknown coding", 501),
        ("length and coding", 400),
        ("no Host", 400),
        ("obs-fold", 400),
    ],
)
def test_what_is_wrong_is_told_apart(entry: Entry, name: str, status: int) -> None:
    with entry.client(HOST) as client:
        client.send(HEADS[name].replace(b"{path}", b"/"))
        answer = client.response()
    assert answer.status == status
    assert answer.get("Content-Type") == "application/problem+json"
    if status == 405:
        assert answer.get("Allow")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (GET.replace(b"{path}", b"/") + b"X-A: " + b"b" * 60_000 + b"\r\n\r\n", 431),
        (GET.replace(b"{path}", b"/") + b"X-A: b\r\n" * 3_000 + b"\r\n", 431),
        (GET.replace(b"{path}", b"/") + b"A: b\r\n" * 150 + b"\r\n", 431),
        (b"GET /" + b"a" * 200_000, 414),
        (GET.replace(b"{path}", b"/") + b"X-A: " + b"b" * 200_000, 431),
        (b"A" * 200_000, 414),
        (b"\r\n" * 50_000, 400),
    ],
    ids=["line", "field", "block", "count", "endless line", "endless field", "endless method", "endless CRLF"],
)
def test_heads_over_their_limits_are_cut_at_the_limit(entry: Entry, head: bytes, status: int) -> None:
    with entry.client(HOST) as client:
        client.try_send(head)
        answer = client.response()
        assert answer.status == status or (head.startswith(b"AAA") and answer.status == 400)
        assert client.is_closed()


def test_malformed_requests_on_the_plain_port(entry: Entry) -> None:
    for name in ("length and coding", "obs-fold", "two Hosts", "bare LF"):
        with entry.plain_client(HOST) as client:
            client.send(HEADS[name].replace(b"{path}", b"/") + client.head("GET", "/second"))
            assert client.response().status == 400
            assert client.is_closed()


def test_h2c_upgrades_do_not_pass(entry: Entry, gateway: Gateway) -> None:
    fields = [
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
    ]
    with entry.client(HOST) as client:
        answer = client.get(gateway.path(), *fields)
    assert answer.status == 200
    assert answer.received("Upgrade") == answer.received("HTTP2-Settings") == []


def test_max_forwards_zero_is_answered_here(entry: Entry, gateway: Gateway) -> None:
    path = gateway.path()
    with entry.client(HOST) as client:
        assert client.request("OPTIONS", path, [("Max-Forwards", "0")]).status in (200, 204)
        assert gateway.seen(path) == []
        assert client.request("OPTIONS", path, [("Max-Forwards", "7")]).received("Max-Forwards") == ["6"]
