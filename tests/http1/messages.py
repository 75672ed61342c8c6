"""Messages to disagree about: plausible ones, hostile ones, and byte mutations of both, from a seedable source."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

FOLLOWER = b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n"
"""Stands behind every message, so that a wrong end has consequences."""


def _one_a_line(text: str) -> list[bytes]:
    r"""Lines of a table as bytes, with Python's escapes: "\x20" is a blank at an edge."""
    return [line.strip().encode().decode("unicode_escape").encode("latin-1") for line in text.strip().splitlines()]


METHODS = b"GET POST PUT HEAD DELETE OPTIONS PATCH".split()
ODD_METHODS = [*b"get CONNECT TRACE PRI G@T X-OWN QUERY".split(), b"", b"GET GET", b"\x00GET"]
TARGETS = b"/ /a/b?c=d&e * http://other.example/p?q HTTPS://other.example:8443 /%41;a=b|c".split()
ODD_TARGETS = [*b"a //a /#f http://u@h/ http:/// ftp://h/ /\\a".split(), b"", b"/a b", b"/\xe4", b"/\x7f"]
VERSIONS = b"HTTP/1.1 HTTP/1.1 HTTP/1.1 HTTP/1.0 HTTP/1.2".split()
ODD_VERSIONS = [*b"HTTP/2.0 HTTP/0.9 http/1.1 HTTP/1.10 HTTP/1. HTTP/01.1 HTTP/11".split(), b"HTTP/1.1 ", b""]

STATUS_LINES = _one_a_line(r"""
    HTTP/1.1 200 OK
    HTTP/1.1 404 Not Found
    HTTP/1.0 200 OK
    HTTP/1.1 204 No Content
    HTTP/1.1 304\x20
    HTTP/1.1 100 Continue
    HTTP/1.1 101 Switching
    HTTP/1.1 103 Early Hints
    HTTP/1.1 200
    HTTP/1.1 599 \xe4\t
""")
ODD_STATUS_LINES = _one_a_line(r"""
    HTTP/1.1 099 A
    HTTP/1.1 600 A
    HTTP/1.1 20 OK
    HTTP/1.1  200 OK
    HTTP/1.1 2000 OK
    HTTP/2 200 OK
    ICY 200 OK
    HTTP/1.1 200 O\x00K
    HTTP/1.1 -20 OK
    HTTP/1.1\t200 OK
    HTTP/1.1 200\tOK
    \x20HTTP/1.1 200 OK
""")
FIELDS = _one_a_line(r"""
    Accept: */*
    X-A:b
    X-B: \t c \t
    X-Empty:
    Cookie: a=b; c=\xfc
    Connection: keep-alive
    Connection: close
    Connection: x-a, X-B
    Connection: Upgrade
    Upgrade: websocket
    Expect: 100-continue
    TE: trailers
    Trailer: x-t
    Via: 1.0 x
    Max-Forwards: 3
    Keep-Alive: timeout=5
    X-Forwarded-For: 9.9.9.9
    X_Forwarded_For: 1.2.3.4
    Transfer_Encoding: chunked
    Content_Length: 5
    Set-Cookie: a=b
    Date: Fri, 20 Nov 2026 19:39:22 GMT
    Strict-Transport-Security: max-age=1
""")
ODD_FIELDS = _one_a_line(r"""
    Bad Name: a
    Name : a
    \x20folded
    \tfolded: b
    : a
    NoColon
    Cookie
    X: a\x00b
    X: a\rb
    X: a\nb
    X: a\x0bb
    X: a\x85b
    X: \x7f
    X\x80: a
    \xefX: a
    X;: a
    X(: a
    \x00: a
    Host: b
    Host: a, b
    Host:
    Host : a
    Host: a@b
    Connection: a b
    Connection: content-length, transfer-encoding, host
    Expect: x
    Max-Forwards: x
    Upgrade: h2c
""")
FRAMINGS = _one_a_line(r"""
    Content-Length: %d
    content-length:%d
    Transfer-Encoding: chunked
    TRANSFER-ENCODING: \tChunked\x20
""")
ODD_FRAMINGS = _one_a_line(r"""
    Content-Length: %d, %d
    Content-Length: +%d
    Content-Length: -%d
    Content-Length: 0x%x
    Content-Length:
    Content-Length: %d\x20
    Content-Length: %d\t
    Content-Length: \x0b%d
    Content-Length: 0%d
    Content-Length: %d_0
    Content-Length: %d\x00
    Content-Length: %d;a
    Content-Length: '%d'
    Content-Length: 1 %d
    Content-Length: 9999999999999999999999
    Content-Length : %d
    Content-Length\t: %d
    Content Length: %d
    \xc2\xa0Content-Length: %d
    Content-Length: %d\r\nContent-Length: %d
    Content-Length: %d\r\nContent-Length: 1
    Content-Length: 1\r\n 2
    Transfer-Encoding: chunked\r\nContent-Length: %d
    Content-Length: %d\r\nTransfer-Encoding: chunked
    Transfer-Encoding: identity\r\nContent-Length: %d
    Transfer-Encoding: identity
    Transfer-Encoding: gzip, chunked
    Transfer-Encoding: identity, chunked
    Transfer-Encoding: chunked, gzip
    Transfer-Encoding: chunked, chunked
    Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked
    Transfer-Encoding: chunked\r\nTransfer-Encoding: identity
    Transfer-Encoding: xchunked
    Transfer-Encoding: "chunked"
    Transfer-Encoding: chunked;q=1
    Transfer-Encoding:\r\n chunked
    Transfer-Encoding: ,chunked
    Transfer-Encoding: chunked,
    Transfer-Encoding:
    Transfer-Encoding : chunked
    Transfer-Encoding\x00: chunked
    Transfer-Encoding: \x0bchunked
    Transfer-Encoding: chunked\t
    Transfer-Encoding: chunked\x00
    Transfer-Encoding: chu\xffnked
""")
LINE_ENDS = [b"\r\n"]
ODD_LINE_ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\r\n ", b"\x00\r\n", b" \r\n", b"\r\n\r\n"]

EXTENSIONS = [b"", b"", b"", b";a", b";a=b", b';a="b;\\"\t"', b";a;b=c"]
ODD_EXTENSIONS = [
    *b""";  ;a= ;=b ;a=" x ;\xff""".split(),
    *[b" ", b"\t", b" ;a", b";a =b", b";a= b", b";a\x00", b";\n", b";a=\rb"],
]
SIZES = b"%x %X 0%x 000%x".split()
ODD_SIZES = [*b"0x%x +%x -%x _%x %xg 1_%x ffffffffffffffff%x 0000000000000000000%x".split(), b"", b" %x", b"%x "]
LAST_SIZES = [b"0", b"0", b"000"]
ODD_LAST_SIZES = [b"-0", b"0x0", b"", b" 0", b"0000000000000000000000"]
TRAILERS = [b"", b"", b"", b"X-T: 1\r\n", b"X-T: 1\r\nContent-Length: 3\r\n", b"Host: evil\r\nX-U:\r\n"]
ODD_TRAILERS = [b"X-T : 1\r\n", b" folded\r\n", b"NoColon\r\n", b"X-T: 1\n", b"X: \x00\r\n", b"\n", b"X-T: 1\r"]
BODIES = [b"", b"hello", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", FOLLOWER, b"\r\n", b"x" * 600]
INTERESTING = [*b"chunked : , ; 0 - _".split(), b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b"\xff", b"\x0b", b"\x85"]


class Source:
    """Chance with a temper: `malice` is the probability that a choice is an odd one."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.malice = random.choice([0.0, 0.0, 0.03, 0.1, 0.3])

    def pick(self, usual: Sequence[T], odd: Sequence[T]) -> T:
        return self.random.choice(odd if self.random.random() < self.malice else usual)

    def line(self, content: bytes) -> bytes:
        return content + self.pick(LINE_ENDS, ODD_LINE_ENDS)

    def request(self) -> bytes:
        words = [self.pick(METHODS, ODD_METHODS), self.pick(TARGETS, ODD_TARGETS), self.pick(VERSIONS, ODD_VERSIONS)]
        first = self.pick([b" "], [b"  ", b"\t", b""]).join(words)
        return self.pick([b""], [b"\r\n", b"\n", b"\r\n\r\n", b" "]) + self._message(first, [b"Host: a.example:443"])

    def response(self) -> bytes:
        return self._message(self.pick(STATUS_LINES, ODD_STATUS_LINES), [])

    def _message(self, first: bytes, fields: list[bytes]) -> bytes:
        body = self.random.choice(BODIES)
        fields += [self.pick(FIELDS, ODD_FIELDS) for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.75:
            template = self.pick(FRAMINGS, ODD_FRAMINGS)
            fields.append(template.replace(b"%d", b"%d" % len(body)).replace(b"%x", b"%x" % len(body)))
            if b"chunked" in template.lower() and self.random.random() < 0.95:
                body = self._chunked(body)
        self.random.shuffle(fields)
        return b"".join(self.line(one) for one in [first, *fields, b""]) + body

    def _chunked(self, body: bytes) -> bytes:
        wire = b""
        while body:
            size = self.random.randint(1, len(body))
            line = (self.pick(SIZES, ODD_SIZES)).replace(b"%x", b"%x" % size).replace(b"%X", b"%X" % size)
            wire += self.line(line + self.pick(EXTENSIONS, ODD_EXTENSIONS)) + self.line(body[:size])
            body = body[size:]
        wire += self.line(self.pick(LAST_SIZES, ODD_LAST_SIZES) + self.pick(EXTENSIONS, ODD_EXTENSIONS))
        return wire + self.pick(TRAILERS, ODD_TRAILERS) + self.line(b"")

    def mutate(self, data: bytes) -> bytes:
        """Up to three small accidents: an octet changed, removed, inserted or doubled, a slice repeated, or the end cut
        off.
        """
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 3])):
            at = self.random.randrange(len(data) + 1)
            match self.random.randrange(6):
                case 0:
                    data = data[:at] + bytes([self.random.randrange(256)]) + data[at + 1 :]
                case 1:
                    data = data[:at] + data[at + 1 :]
                case 2:
                    data = data[:at] + self.random.choice(INTERESTING) + data[at:]
                case 3:
                    data = data[:at] + self.random.choice(INTERESTING) + data[at + 1 :]
                case 4:
                    data = data[: at + self.random.randrange(12)] + data[at:]
                case _:
                    data = data[:at] if self.random.random() < 0.2 else data
        return data

    def cuts(self, data: bytes) -> list[int]:
        """Where to cut `data` into pieces; now and then after every octet."""
        if self.random.random() < 0.1:
            return list(range(1, len(data)))
        return sorted(self.random.randrange(len(data) + 1) for _ in range(self.random.randrange(5)))
