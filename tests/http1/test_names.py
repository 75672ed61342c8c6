"""Which names travel, seen apart from the parsers."""

from __future__ import annotations

from entryproxy.http1 import names


def test_every_tchar_counts_as_a_dash() -> None:
    for octet in b"!#$%&'*+-.^_`|~":
        assert not names.may_pass(b"x-real-ip".replace(b"-", bytes([octet])))
        assert not names.may_trail(b"content-length".replace(b"-", bytes([octet])))


def test_letters_do_not() -> None:
    assert names.may_pass(b"xxrealxip")
    assert names.may_pass(b"x-real-ips")


def test_what_may_pass_may_still_not_trail() -> None:
    for name in (b"cookie", b"content-type", b"if-match", b"sec-websocket-key", b"access-control-allow-origin"):
        assert names.may_pass(name)
        assert not names.may_trail(name)


def test_digests_trail() -> None:
    assert names.may_trail(b"content-digest")
    assert names.may_trail(b"repr-digest")
