"""Who the client is, for the gateway and for the log."""

from __future__ import annotations

import pytest

from entryproxy.edge.client import Client
from entryproxy.model.tenant import Platform
from tests.edge.conftest import MakeWorld
from tests.edge.network import SYSTEM_DOMAIN


@pytest.mark.parametrize(
    ("forwarded_for", "lines", "logged"),
    [
        (b"", b"X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n", "10.0.0.1"),
        (
            b"6.6.6.6, 203.0.113.9",
            b"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.1\r\nX-Real-IP: 203.0.113.9\r\n",
            "203.0.113.9",
        ),
        (b"\xff", b"X-Forwarded-For: \xff, 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n", "10.0.0.1"),
    ],
)
async def test_lines_and_text(make_world: MakeWorld, forwarded_for: bytes, lines: bytes, logged: str) -> None:
    platform = Platform(system_domain=SYSTEM_DOMAIN, trusted_proxies=("10.0.0.0/8",))
    client = Client(make_world(platform=platform).edge, "10.0.0.1", "TLSv1.3")
    assert client.lines_behind(forwarded_for) == lines
    text = client.text_behind(forwarded_for)
    assert text.client == f'"client":"{logged}"'
    assert text.tls_version == '"tlsVersion":"TLSv1.3"'


async def test_plain_connections_have_no_tls_version(make_world: MakeWorld) -> None:
    assert Client(make_world().edge, "::1", "").text.tls_version == '"tlsVersion":null'
