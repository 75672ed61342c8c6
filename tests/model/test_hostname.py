from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.hostname import (
    covers,
    is_hostname,
    is_ip_literal,
    is_label,
    is_tenant_id,
    is_under,
    normalize,
    wildcard_of,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("App.Example.COM", "app.example.com"),
        ("app.example.com:8443", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("app.example.com.:443", "app.example.com"),
        ("app.example.com..", "app.example.com."),
        ("[::1]:443", "[::1]"),
        ("[FE80::1]", "[fe80::1]"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("", ""),
    ],
)
def test_normalize(host: str, expected: str) -> None:
    assert normalize(host) == expected


@pytest.mark.parametrize("text", ["a", "a1", "a-b", "1", "a" * 63])
def test_labels(text: str) -> None:
    assert is_label(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "ä", "a\n", "*"])
def test_what_is_no_label(text: str) -> None:
    assert not is_label(text)


def test_tenant_ids() -> None:
    assert is_tenant_id("a" * 39)
    assert not is_tenant_id("a" * 40)
    assert not is_tenant_id("system")
    assert not is_tenant_id("")


@pytest.mark.parametrize("text", ["a.b", "_dmarc.a.b", "xn--mnchen-3ya.de", "a.b1", ".".join(["a" * 63] * 3)])
def test_hostnames(text: str) -> None:
    assert is_hostname(text)


@pytest.mark.parametrize(
    "text", ["a", "", ".", "a.", ".a", "a..b", "*.a.b", "1.2.3.4", "A.b", "a b.c", "a.b\n", ".".join(["a" * 63] * 4)]
)
def test_what_is_no_hostname(text: str) -> None:
    assert not is_hostname(text)


@pytest.mark.parametrize("text", ["1.2.3.4", "::1", "[::1]", "1", "1.2.3.4.", "fe80::1%eth0"])
def test_ip_literals(text: str) -> None:
    assert is_ip_literal(text)
    assert not is_ip_literal("a" + text.replace(":", "").replace("[", ""))


def test_a_wildcard_spans_exactly_one_label() -> None:
    assert wildcard_of("a.b.c") == "*.b.c"
    assert wildcard_of("a") == ""
    assert covers("*.b.c", "a.b.c")
    assert covers("a.b.c", "a.b.c")
    assert not covers("*.b.c", "b.c")
    assert not covers("*.b.c", "x.a.b.c")
    assert not covers("*.c", "*.b.c")


def test_is_under() -> None:
    assert is_under("b.c", "b.c")
    assert is_under("a.b.c", "b.c")
    assert not is_under("ab.c", "b.c")


@given(st.text(max_size=30))
def test_normal_form_of_a_hostname_is_stable(host: str) -> None:
    once = normalize(host)
    if is_hostname(once):
        assert normalize(once) == once
