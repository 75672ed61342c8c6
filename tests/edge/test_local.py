"""Requests that the entry answers itself: what is sent, logged and counted."""

from __future__ import annotations

import pytest

from entryproxy.model.tenant import Platform
from tests.edge.conftest import MakeWorld
from tests.edge.network import HOST, SYSTEM_DOMAIN, World, make_tenant, request


async def test_bytes_that_are_no_request(world: World) -> None:
    client = world.client()
    client.feed(b"nonsense\r\n\r\n")
    sent = client.take()
    (line,) = world.logged
    assert (line["status"], line["error"], line["tenant"], line["method"]) == (
        400,
        "malformed_request_line",
        None,
        None,
    )
    assert line["sentBytes"] == len(sent)
    assert world.report.rejected == {"malformed_request_line": 1}
    assert world.report.tenants["unknown"].requests == {(400, "HTTP/1.1"): 1}


async def test_a_request_that_leads_nowhere(world: World) -> None:
    client = world.client()
    data = request(b"GET", b"/a", host=b"nobody." + SYSTEM_DOMAIN.encode())
    client.feed(data)
    client.take()
    (line,) = world.logged
    assert (line["status"], line["error"], line["path"]) == (404, "unknown_tenant", "/a")
    assert line["receivedBytes"] == len(data)


async def test_a_redirect_is_the_tenants(make_world: MakeWorld) -> None:
    world = make_world(make_tenant(https_redirect=True))
    client = world.client()
    client.feed(request(b"HEAD", b"/"))
    assert client.take().endswith(b"\r\n\r\n")
    (line,) = world.logged
    assert (line["status"], line["tenant"], line["error"], line["gateway"]) == (308, "tenant1", None, None)
    assert world.report.tenants["tenant1"].requests == {(308, "HTTP/1.1"): 1}


@pytest.mark.parametrize(("peer", "kept"), [("10.0.0.5", True), ("192.0.2.1", False)])
async def test_ids_and_clients_of_trusted_proxies(make_world: MakeWorld, peer: str, kept: bool) -> None:
    world = make_world(platform=Platform(system_domain=SYSTEM_DOMAIN, trusted_proxies=("10.0.0.0/8",)))
    client = world.client(peer)
    client.feed(request(b"OPTIONS", b"/", b"Max-Forwards: 0", b"X-Request-Id: theirs", b"X-Forwarded-For: 203.0.113.9"))
    assert (b"X-Request-Id: theirs\r\n" in client.take()) is kept
    (line,) = world.logged
    assert (line["requestId"] == "theirs", line["client"] == "203.0.113.9") == (kept, kept)
    assert line["host"] == HOST.decode()
