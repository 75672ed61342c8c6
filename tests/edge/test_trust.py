"""Whose word counts, and the client behind those whose does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.edge.trust import TrustedProxies

_PROXIES = TrustedProxies(("10.0.0.0/8", "192.0.2.7", "fd00::/8", "172.16.0.1/12"))


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("172.31.0.1", True),
        ("fd12::1", True),
        ("fe80::1%eth0", False),
        ("fd00::1%eth0", True),
        ("::ffff:10.1.2.3", True),
        ("::ffff:11.1.2.3", False),
        ("", False),
        ("not an address", False),
    ],
)
def test_addresses(address: str, trusted: bool) -> None:
    assert _PROXIES.contains(address) is trusted
    assert not TrustedProxies(()).contains(address)


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9, 10.9.9.9, 10.8.8.8", "203.0.113.9"),
        ("10.9.9.9, 10.8.8.8", "10.9.9.9"),
        ("203.0.113.9:1234", "203.0.113.9"),
        ("[2001:db8::1]:1234", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("203.0.113.9, unknown, 10.9.9.9", "10.9.9.9"),
        ("203.0.113.9,", "10.0.0.1"),
    ],
)
def test_the_client_behind(forwarded_for: str, client: str) -> None:
    assert _PROXIES.client_behind(forwarded_for, "10.0.0.1") == client


@given(st.text(max_size=60))
def test_any_text_gives_an_address(forwarded_for: str) -> None:
    client = _PROXIES.client_behind(forwarded_for, "10.0.0.1")
    assert all(character in "0123456789abcdef.:%" or client.count("%") for character in client)
