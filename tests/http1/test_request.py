"""Request lines and request fields: what passes, what is refused, what travels on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entryproxy.errors import EntryError, Source
from entryproxy.http1.request import (
    RequestFields,
    RequestLine,
    match_common_line,
    parse_request_fields,
    parse_request_line,
)


def fields_of(*lines: bytes) -> RequestFields:
    return parse_request_fields(b"".join(line + b"\r\n" for line in lines))


def refusal_of_fields(*lines: bytes) -> EntryError:
    with pytest.raises(EntryError) as caught:
        fields_of(*lines)
    assert caught.value.close
    assert caught.value.source is Source.CLIENT
    return caught.value


def refusal_of_line(line: bytes) -> EntryError:
    with pytest.raises(EntryError) as caught:
        parse_request_line(line)
    assert caught.value.close
    return caught.value


# -- the request line

LINES = {
    b"GET / HTTP/1.1": RequestLine(b"GET", b"/", 1, None),
    b"GET /a/b?c=d&e HTTP/1.0": RequestLine(b"GET", b"/a/b?c=d&e", 0, None),
    b"GET / HTTP/1.9": RequestLine(b"GET", b"/", 1, None),
    b"M-SEARCH / HTTP/1.1": RequestLine(b"M-SEARCH", b"/", 1, None),
    b"get / HTTP/1.1": RequestLine(b"get", b"/", 1, None),
    b"GET //a//b/../c HTTP/1.1": RequestLine(b"GET", b"//a//b/../c", 1, None),
    b'GET /?a|b^{c}`"<>\\ HTTP/1.1': RequestLine(b"GET", b'/?a|b^{c}`"<>\\', 1, None),
    b"GET /%zz HTTP/1.1": RequestLine(b"GET", b"/%zz", 1, None),
    b"OPTIONS * HTTP/1.1": RequestLine(b"OPTIONS", b"*", 1, None),
    b"OPTIONS /a HTTP/1.1": RequestLine(b"OPTIONS", b"/a", 1, None),
    b"GET http://a.example/p?q HTTP/1.1": RequestLine(b"GET", b"/p?q", 1, b"a.example"),
    b"GET HTTPS://A.example:8443 HTTP/1.1": RequestLine(b"GET", b"/", 1, b"A.example:8443"),
    b"GET http://a.example?q HTTP/1.1": RequestLine(b"GET", b"/?q", 1, b"a.example"),
    b"GET http://a.example/@b HTTP/1.1": RequestLine(b"GET", b"/@b", 1, b"a.example"),
    b"GET http://[::1]:80/ HTTP/1.0": RequestLine(b"GET", b"/", 0, b"[::1]:80"),
    b"OPTIONS http://a.example HTTP/1.1": RequestLine(b"OPTIONS", b"*", 1, b"a.example"),
    b"OPTIONS http://a.example?q HTTP/1.1": RequestLine(b"OPTIONS", b"/?q", 1, b"a.example"),
    b"OPTIONS http://a.example/ HTTP/1.1": RequestLine(b"OPTIONS", b"/", 1, b"a.example"),
}


@pytest.mark.parametrize("line", LINES)
def test_line(line: bytes) -> None:
    assert parse_request_line(line) == LINES[line]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET / ",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.1\r",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.10",
        b"GET / HTTP/01.1",
        b"GET / HTTP/1.",
        b"GET / HTTP/1.x",
        b"GET / HTTP/1,1",
        b"GET / http/1.1",
        b"GET / HTTPS/1.1",
        b"GET /a b HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET a.example:80 HTTP/1.1",
        b"GET ?a HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS ** HTTP/1.1",
        b"GET /#f HTTP/1.1",
        b"GET /a\x00 HTTP/1.1",
        b"GET /a\x7f HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b"GET /\r HTTP/1.1",
        b"GET /\x0b HTTP/1.1",
        b"G@T / HTTP/1.1",
        b"G\x00T / HTTP/1.1",
        b"GET http:/a HTTP/1.1",
        b"GET http:///a HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"GET http://user@a.example/ HTTP/1.1",
        b"GET http://user:pass@a.example/ HTTP/1.1",
        b"GET http://a.example\\@b.example/ HTTP/1.1",
        b"GET http://a.example:b/ HTTP/1.1",
        b"GET http://a,b/ HTTP/1.1",
        b"GET http://a.example/#f HTTP/1.1",
        b"GET ftp://a.example/ HTTP/1.1",
        b"GET ws://a.example/ HTTP/1.1",
        b"GET xhttp://a.example/ HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_malformed_line(line: bytes) -> None:
    refusal = refusal_of_line(line)
    assert (refusal.status, refusal.reason) == (400, "malformed_request_line")


@pytest.mark.parametrize("line", [b"PRI * HTTP/2.0", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/3.1"])
def test_other_major_version(line: bytes) -> None:
    assert refusal_of_line(line).status == 505


@pytest.mark.parametrize(
    "line", [b"CONNECT a:443 HTTP/1.1", b"CONNECT / HTTP/1.1", b"TRACE / HTTP/1.1", b"TRACE http://a/ HTTP/1.0"]
)
def test_refused_methods(line: bytes) -> None:
    refusal = refusal_of_line(line)
    assert refusal.status == 405
    assert "GET" in dict(refusal.headers)["Allow"]
    assert "TRACE" not in dict(refusal.headers)["Allow"]


words = st.sampled_from(
    [b"GET", b"TRACE", b"get", b"OPTIONS", b" ", b"  ", b"/", b"*", b"a", b"?", b"#", b'"', b"\\", b"\xe4"]
)
endings = st.sampled_from([b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.2", b" HTTP/2.0", b"", b" HTTP/1.1\n", b" HTTP/1.1 "])


@settings(max_examples=500)
@given(st.lists(words, max_size=6).map(b"".join), endings)
def test_the_short_cut_reads_what_the_parser_reads(begin: bytes, ending: bytes) -> None:
    for line in (begin + ending, b"GET /" + begin + ending):
        match = match_common_line(line)
        if match is not None:
            assert parse_request_line(line) == RequestLine(match[1], match[2], 1, None)
            assert b'"' not in match[2]
            assert b"\\" not in match[2]


def test_the_short_cut_is_taken() -> None:
    match = match_common_line(b"GET /a?b|c HTTP/1.1")
    assert match is not None
    assert match.groups() == (b"GET", b"/a?b|c")


# -- the grammar of fields

BROWSER = (
    b"Host: app1.tenant1.aigw.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: de,en-US;q=0.7\r\n"
    b"Connection: keep-alive\r\n"
    b"Cookie: session=a\xe4b\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
)


def test_browser() -> None:
    fields = parse_request_fields(BROWSER)
    assert fields.host == b"app1.tenant1.aigw.example.com"
    assert fields.user_agent.endswith(b"Firefox/143.0")
    assert fields.prefers_html
    assert fields.connection_keep_alive
    assert not fields.connection_close
    assert fields.content_length is None
    assert not fields.chunked
    assert fields.upgrade is None
    lines = BROWSER.splitlines(keepends=True)
    assert fields.lines == b"".join(line for line in lines if not line.startswith((b"Host", b"Connection")))


def test_nothing() -> None:
    fields = parse_request_fields(b"")
    assert fields.host is None
    assert fields.lines == b""
    assert not fields.prefers_html


@pytest.mark.parametrize(
    ("line", "passed"),
    [
        (b"X-A:b", b"X-A: b\r\n"),
        (b"X-A:   b  ", b"X-A: b\r\n"),
        (b"X-A:\t b", b"X-A: b\r\n"),
        (b"X-A: b\tc", b"X-A: b\tc\r\n"),
        (b"X-A: b\t", b"X-A: b\t\r\n"),
        (b"X-A:", b"X-A: \r\n"),
        (b"X-A: :", b"X-A: :\r\n"),
        (b"X-A: \x80\xff", b"X-A: \x80\xff\r\n"),
        (b"!#$%&'*+-.^_`|~09Az: b", b"!#$%&'*+-.^_`|~09Az: b\r\n"),
        (b"cOOKIE: a", b"cOOKIE: a\r\n"),
        (b"Date: x", b"Date: x\r\n"),
        (b"Trailer: x-t", b"Trailer: x-t\r\n"),
    ],
)
def test_field_passes(line: bytes, passed: bytes) -> None:
    assert fields_of(line).lines == passed


NAMES = [b"X-A", b"Cookie", b"Content-Length", b"Transfer-Encoding", b"Host", b"Accept"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("octet", [*range(9), *range(10, 32), 127])
def test_control_octets_in_values(name: bytes, octet: int) -> None:
    for value in (b"%c", b"%ca", b"a%c", b"a%cb"):
        assert refusal_of_fields(name + b": " + value % octet).status == 400


@pytest.mark.parametrize("name", NAMES)
def test_malformed_names(name: bytes) -> None:
    for line in (
        b"%b :1",
        b" %b:1",
        b"\t%b: 1",
        b"%b",
        b"%b\x00: 1",
        b"%b\x80: 1",
        b"(%b): 1",
        b"%b\xa0: 1",
        b"%b;: 1",
    ):
        assert refusal_of_fields(line % name).status == 400
        assert refusal_of_fields(b"X-First: a", line % name).status == 400


@pytest.mark.parametrize(
    "block", [b"\r\n", b": a\r\n", b"X: a", b"X: a\n", b"X: a\r", b"X: a\r\n\r\n", b"X: a\r\n b\r\n", b"X\r\n"]
)
def test_malformed_blocks(block: bytes) -> None:
    with pytest.raises(EntryError) as caught:
        parse_request_fields(block)
    assert caught.value.status == 400


def test_too_many_fields() -> None:
    assert parse_request_fields(b"X: a\r\n" * 100).lines
    with pytest.raises(EntryError) as caught:
        parse_request_fields(b"X: a\r\n" * 101)
    assert caught.value.status == 431
    assert parse_request_fields(b"X: a\r\n" * 101, fields_max=101).lines


# -- host


@pytest.mark.parametrize(
    "host",
    [b"a", b"a.example", b"A.Example.:443", b"a:", b"10.0.0.1:8080", b"[::1]", b"[2001:db8::1]:443", b"_a-b~c.d"],
)
def test_host(host: bytes) -> None:
    fields = fields_of(b"Host: " + host)
    assert fields.host == host
    assert fields.lines == b""


@pytest.mark.parametrize(
    "host",
    [
        *[
            b"",
            b" ",
            b"a b",
            b"a,b",
            b"a, a",
            b"a/b",
            b"a@b",
            b"a?b",
            b"a#b",
            b"a\\b",
            b":80",
            b"a:b",
            b"a:123456",
            b"a:1:2",
        ],
        *[
            b"[::1",
            b"::1",
            b"[]",
            b"[g::]",
            b"[::1]a",
            b"[1.2.3.4]",
            b"[v1.a]",
            b"[::1%25eth0]",
            b"a\xe4",
            b"a%41",
            b"a\t",
        ],
        *[b"http://a", b"a;b", b"'a'", b"a(b)"],
    ],
)
def test_malformed_host(host: bytes) -> None:
    assert refusal_of_fields(b"Host: " + host).reason == "malformed_host"


def test_repeated_host() -> None:
    assert refusal_of_fields(b"Host: a", b"Host: a").reason == "malformed_host"
    assert refusal_of_fields(b"Host: a", b"X: b", b"hOST: c").reason == "malformed_host"


# -- framing


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"5", 5), (b"0005", 5), (b"9" * 18, 10**18 - 1)])
def test_content_length(value: bytes, length: int) -> None:
    fields = fields_of(b"content-LENGTH: " + value)
    assert fields.content_length == length
    assert fields.lines == b""


@pytest.mark.parametrize(
    "value",
    [
        *[
            b"",
            b"-1",
            b"+1",
            b"1.0",
            b"1e3",
            b"0x1",
            b"1_0",
            b"5, 5",
            b"5,5",
            b"5 5",
            b"five",
            b"5;",
            b'"5"',
            b"5\t",
            b"9" * 19,
        ],
        *["５".encode(), "٣".encode(), b"\xb2", b"5\xa0", b"\x855"],
    ],
)
def test_malformed_content_length(value: bytes) -> None:
    refusal = refusal_of_fields(b"Content-Length: " + value)
    assert (refusal.status, refusal.reason) == (400, "malformed_framing")


@pytest.mark.parametrize("value", [b"chunked", b"CHUNKED", b" \tChunked "])
def test_chunked(value: bytes) -> None:
    fields = fields_of(b"transfer-encoding:" + value)
    assert fields.chunked
    assert fields.lines == b""


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 5", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"],
        *[
            [b"Transfer-Encoding: " + value]
            for value in (
                *[
                    b"",
                    b"gzip, chunked",
                    b"chunked, gzip",
                    b"chunked, chunked",
                    b"chunked,",
                    b",chunked",
                    b"identity, chunked",
                ],
                *[
                    b"chunked;q=1",
                    b"chunked; a=b",
                    b'"chunked"',
                    b"chunked chunked",
                    b"chu nked",
                    b"chunked\t",
                    b"chunked\xa0",
                ],
            )
        ],
    ],
)
def test_malformed_framing(lines: list[bytes]) -> None:
    refusal = refusal_of_fields(*lines)
    assert (refusal.status, refusal.reason) == (400, "malformed_framing")


@pytest.mark.parametrize("value", [b"identity", b"gzip", b"xchunked", b"chunkedx"])
def test_unknown_coding(value: bytes) -> None:
    assert refusal_of_fields(b"Transfer-Encoding: " + value).status == 501


# -- connection, upgrade, and what else concerns one hop

HOP_BY_HOP = [
    b"Keep-Alive",
    b"Proxy-Connection",
    b"TE",
    b"Upgrade",
    b"HTTP2-Settings",
    b"Proxy-Authorization",
    b"Connection",
]


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_hop_by_hop_fields_are_dropped(name: bytes) -> None:
    assert fields_of(name + b": a", b"X-A: b").lines == b"X-A: b\r\n"


def test_fields_named_by_connection_are_dropped() -> None:
    fields = fields_of(
        b"X-A: 1", b"X-B: 2", b"x-a: 3", b"Connection: close, X-A", b"Connection: ,x-c", b"X-C: 4", b"X-D: 5"
    )
    assert fields.lines == b"X-B: 2\r\nX-D: 5\r\n"
    assert fields.connection_close


def test_connection_cannot_take_away_what_the_entry_needs() -> None:
    names = b"host, content-length, x-forwarded-for, x-request-id, via, expect, max-forwards, te"
    fields = fields_of(
        *[b"Connection: " + names, b"Host: a", b"Content-Length: 5", b"X-Forwarded-For: 1.2.3.4", b"X-Request-Id: r"],
        *[b"Via: 1.1 v", b"Expect: 100-continue", b"Max-Forwards: 3"],
    )
    assert (fields.host, fields.content_length, fields.forwarded_for) == (b"a", 5, b"1.2.3.4")
    assert (fields.request_id, fields.via, fields.expect_continue, fields.max_forwards) == (b"r", b"1.1 v", True, 3)
    assert fields_of(b"Connection: transfer-encoding", b"Transfer-Encoding: chunked").chunked


@pytest.mark.parametrize("value", [b"a b", b"close;a", b'"close"', b"close, a/b", b"clos\xe9", b"a:b"])
def test_malformed_connection(value: bytes) -> None:
    assert refusal_of_fields(b"Connection: " + value).status == 400


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: websocket"], b"websocket"),
        ([b"Connection: keep-alive, UPGRADE", b"Upgrade: WebSocket"], b"WebSocket"),
        ([b"Upgrade: websocket"], None),
        ([b"Connection: keep-alive", b"Upgrade: websocket"], None),
        ([b"Connection: Upgrade"], None),
        ([b"Connection: Upgrade", b"Upgrade:"], None),
        ([b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"], None),
        ([b"Connection: Upgrade", b"Upgrade: H2C, websocket , h2c"], b"websocket"),
        ([b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: a/1, h2"], b"a/1"),
        ([b"Connection: Upgrade", b"Upgrade: HTTP/2.0, h2c/1"], None),
        ([b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 0"], b"websocket"),
        ([b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 1"], None),
        ([b"Connection: Upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked"], None),
    ],
)
def test_upgrade(lines: list[bytes], upgrade: bytes | None) -> None:
    fields = fields_of(*lines)
    assert fields.upgrade == upgrade
    assert fields.lines == b""


def test_malformed_upgrade() -> None:
    assert refusal_of_fields(b"Connection: Upgrade", b"Upgrade: web socket").status == 400


def test_websocket_fields() -> None:
    lines = [b"Sec-WebSocket-Key: a==", b"Sec-WebSocket-Version: 13"]
    fields = fields_of(*lines)
    assert (fields.websocket_key, fields.websocket_version) == (b"a==", b"13")
    assert fields.lines == b"\r\n".join(lines) + b"\r\n"
    fields = fields_of(*lines, b"Connection: sec-websocket-key, sec-websocket-version")
    assert (fields.websocket_key, fields.websocket_version, fields.lines) == (None, None, b"")
    for line in lines:
        assert refusal_of_fields(line, line).status == 400


# -- single fields


def test_expect() -> None:
    fields = fields_of(b"Expect: 100-Continue")
    assert fields.expect_continue
    assert fields.lines == b""


@pytest.mark.parametrize(
    "lines", [[b"Expect: x"], [b"Expect:"], [b"Expect: 100-continue, x"], [b"Expect: 100-continue"] * 2]
)
def test_unknown_expect(lines: list[bytes]) -> None:
    assert refusal_of_fields(*lines).status == 417


def test_max_forwards() -> None:
    assert fields_of(b"Max-Forwards: 010").max_forwards == 10
    assert fields_of(b"Max-Forwards: 0").lines == b""
    for lines in ([b"Max-Forwards: 1"] * 2, [b"Max-Forwards: -1"], [b"Max-Forwards:"], [b"Max-Forwards: " + b"1" * 19]):
        assert refusal_of_fields(*lines).status == 400


@pytest.mark.parametrize(
    ("value", "accepts"),
    [(b"trailers", True), (b"gzip;q=1, Trailers", True), (b"trailers;q=0", False), (b"xtrailers", False)],
)
def test_te(value: bytes, accepts: bool) -> None:
    assert fields_of(b"TE: " + value).accepts_trailers is accepts


def test_accept_over_several_lines() -> None:
    fields = fields_of(b"Accept: application/json;q=0.5", b"Accept: text/html")
    assert fields.prefers_html
    assert fields.lines == b"Accept: application/json;q=0.5\r\nAccept: text/html\r\n"


# -- the entry's own fields

OWN = [
    *[
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"X-Forwarded-Port",
        b"X-Forwarded-Anything",
        b"Forwarded",
    ],
    *[
        b"X-Real-IP",
        b"X-Request-Id",
        b"X-Entry-Tenant",
        b"X-Entry-Service",
        b"X-Entry-Domain-Type",
        b"X-Entry-",
        b"Via",
    ],
]


@pytest.mark.parametrize("name", OWN)
def test_own_fields_and_look_alikes_do_not_pass(name: bytes) -> None:
    dressed = [
        name,
        name.lower(),
        name.upper(),
        name.replace(b"-", b"_"),
        name.replace(b"-", b"_", 1),
        name.replace(b"-", b"."),
    ]
    for one in dressed:
        assert fields_of(one + b": spoofed").lines == b""
    for stranger in (b"Z" + name, name.replace(b"X-", b"Y-").replace(b"V", b"Z").replace(b"Fo", b"Zo")):
        assert fields_of(stranger + b": a").lines == stranger + b": a\r\n"


@pytest.mark.parametrize(
    "name", [b"Transfer_Encoding", b"Content_Length", b"Proxy_Authorization", b"content.length", b"MAX_FORWARDS"]
)
def test_look_alikes_of_special_fields_do_nothing_and_do_not_pass(name: bytes) -> None:
    fields = fields_of(name + b": chunked")
    assert fields.lines == b""
    assert (fields.chunked, fields.content_length, fields.max_forwards) == (False, None, None)


@pytest.mark.parametrize(
    "name", [b"X_A", b"X-Forwarded", b"X-Entry", b"X-Entrypoint", b"Forwarded-For", b"User_Agent", b"Content_Type"]
)
def test_other_names_pass(name: bytes) -> None:
    assert fields_of(name + b": a").lines == name + b": a\r\n"


def test_values_of_own_fields_are_kept_apart() -> None:
    fields = fields_of(
        *[
            b"X-Forwarded-For: 1.1.1.1",
            b"X-Forwarded-For:  2.2.2.2 ",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: a",
        ],
        *[
            b"X-Forwarded-Port: 443",
            b"X-Request-Id: r",
            b"Via: 1.0 a",
            b"Via: 1.1 b",
            b"Forwarded: for=1",
            b"Forwarded: for=2",
        ],
        b"X_Forwarded_For: 3.3.3.3",
    )
    assert fields.forwarded_for == b"1.1.1.1, 2.2.2.2"
    assert (fields.forwarded_proto, fields.forwarded_host, fields.forwarded_port) == (b"https", b"a", b"443")
    assert (fields.request_id, fields.via, fields.forwarded) == (b"r", b"1.0 a, 1.1 b", b"for=1, for=2")
    assert fields.lines == b""


# -- properties

names = st.one_of(
    st.sampled_from([*OWN, *HOP_BY_HOP, b"Host", b"Content-Length", b"Cookie", b"X-A"]),
    st.text(st.sampled_from("aXx-_."), min_size=1, max_size=4).map(str.encode),
).flatmap(lambda name: st.sampled_from([name, name.replace(b"-", b"_"), name.lower(), name.upper()]))
values = st.one_of(
    st.sampled_from([b"close", b"x-a, X_A", b"cookie", b"5", b"chunked", b"a.example", b"upgrade", b"websocket"]),
    st.binary(max_size=8),
)
blocks = st.lists(st.tuples(names, values), max_size=8).map(
    lambda pairs: b"".join(b"%b: %b\r\n" % pair for pair in pairs)
)


def parsed_or_none(block: bytes) -> RequestFields | None:
    try:
        return parse_request_fields(block)
    except EntryError:
        return None


@settings(max_examples=500)
@given(blocks)
def test_lines_hold_nothing_of_the_entry_or_the_hop(block: bytes) -> None:
    fields = parsed_or_none(block)
    if fields is None:
        return
    taken = {name.lower() for name in (*OWN, *HOP_BY_HOP)} | {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"expect",
    }
    named = {option.strip(b" \t") for option in fields.connection.lower().split(b",")}
    for line in fields.lines.split(b"\r\n")[:-1]:
        name = line.partition(b":")[0].lower()
        assert name not in named
        plain = name.replace(b"_", b"-")
        assert plain not in taken
        assert not plain.startswith((b"x-forwarded-", b"x-entry-"))


@settings(max_examples=500)
@given(blocks)
def test_lines_are_a_fixed_point_without_framing(block: bytes) -> None:
    fields = parsed_or_none(block)
    if fields is None:
        return
    again = parse_request_fields(fields.lines)
    assert again.lines == fields.lines
    assert (again.host, again.content_length, again.chunked, again.upgrade) == (None, None, False, None)


@settings(max_examples=500)
@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for parse in (parse_request_line, parse_request_fields):
        try:
            parse(data)
        except EntryError as error:
            assert error.status in (400, 405, 417, 431, 501, 505)
