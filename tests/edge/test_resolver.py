"""Names of gateways to addresses, with a fake system resolver and clock."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import pytest

from entryproxy.edge.resolver import Resolver


class Names:
    """The loop's clock and its getaddrinfo."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[tuple[str, int]] = []
        self.addresses: list[str] | Exception = ["10.0.0.1"]

    def time(self) -> float:
        return self.now

    async def getaddrinfo(self, host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        self.asked.append((host, port))
        if isinstance(self.addresses, Exception):
            raise self.addresses
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in self.addresses]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def resolver(names: Names) -> Resolver:
    return Resolver(cast(asyncio.AbstractEventLoop, names), 10.0)


@pytest.mark.parametrize("address", ["127.0.0.1:80", "[::1]:80"])
async def test_literals_need_no_look_up(names: Names, resolver: Resolver, address: str) -> None:
    assert await resolver.resolve(address) == [address]
    assert not names.asked


async def test_answers_live_for_their_time(names: Names, resolver: Resolver) -> None:
    names.addresses = ["10.0.0.1", "10.0.0.1", "fd00::1"]
    assert await resolver.resolve("a.b:81") == ["10.0.0.1:81", "[fd00::1]:81"]
    names.addresses = ["10.0.0.2"]
    names.now += 9.9
    assert await resolver.resolve("a.b:81") == ["10.0.0.1:81", "[fd00::1]:81"]
    names.now += 0.2
    assert await resolver.resolve("a.b:81") == ["10.0.0.2:81"]
    assert names.asked == [("a.b", 81)] * 2


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "no such name"), OSError(), UnicodeError("label too long")]
)
async def test_what_was_known_stays(names: Names, resolver: Resolver, error: Exception) -> None:
    names.addresses = error
    assert await resolver.resolve("a.b:81") == []
    names.now += 20
    names.addresses = ["10.0.0.1"]
    assert await resolver.resolve("a.b:81") == ["10.0.0.1:81"]
    names.now += 20
    names.addresses = error
    assert await resolver.resolve("a.b:81") == ["10.0.0.1:81"]
    asked = len(names.asked)
    assert await resolver.resolve("a.b:81") == ["10.0.0.1:81"]
    assert len(names.asked) == asked, "nor is a name that fails asked for without pause"
