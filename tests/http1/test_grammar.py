"""Tokens, lists, numbers and hosts, apart from the parsers that use them."""

from __future__ import annotations

import string

import pytest

from entryproxy.errors import EntryError
from entryproxy.http1 import grammar


def test_tokens_octet_by_octet() -> None:
    allowed = set((string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode())
    for octet in range(256):
        assert (grammar.is_token(bytes([octet])) is not None) == (octet in allowed)
    assert grammar.is_token(b"") is None
    assert grammar.is_token(b"a\n") is None, "fullmatch, unlike $, sees the line feed"


def test_values_octet_by_octet() -> None:
    for octet in range(256):
        block = b"X: a%cb\r\n" % octet
        if octet == 9 or (octet >= 32 and octet != 127):
            assert grammar.split_lines(block, 1) == [block[:-2]]
        else:
            with pytest.raises(EntryError):
                grammar.split_lines(block, 1)


def test_lists() -> None:
    assert grammar.list_elements(b" a,,\tb , c d,") == [b"a", b"b", b"c d"]
    assert grammar.list_elements(b"") == []
    assert grammar.connection_options(b"Close, X-a") == {b"close", b"x-a"}
    assert grammar.connection_options(b"") == frozenset()


def test_without_fields() -> None:
    lines = [b"A: 1\r\n", b"b: 2\r\n", b"a: 3\r\n"]
    assert grammar.without_fields(lines, frozenset({b"a"})) == [b"b: 2\r\n"]


@pytest.mark.parametrize("text", ["５", "²", "1_0", " 1", "1 ", "+1", ""])
def test_what_int_accepts_or_isdigit_claims_is_no_length(text: str) -> None:
    with pytest.raises(EntryError):
        grammar.content_length_of(text.encode())


def test_hosts() -> None:
    assert grammar.is_host(b"[::ffff:1.2.3.4]:1")
    assert not grammar.is_host(b"[:::]")
    assert not grammar.is_host(b"a\n")


@pytest.mark.parametrize("host", [b"a.example", b"[::1]"])
@pytest.mark.parametrize(
    ("port", "allowed"),
    [
        *((port, True) for port in (b"", b":", b":0", b":443", b":59999", b":60000", b":65535")),
        *((port, False) for port in (b":65536", b":65600", b":66000", b":70000", b":123456")),
    ],
)
def test_a_port_is_one_that_exists(host: bytes, port: bytes, allowed: bool) -> None:
    assert grammar.is_host(host + port) is allowed
