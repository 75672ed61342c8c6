"""Mutated requests and mutated answers, a few thousand: the entry stays itself and owes nobody anything afterwards.

What reaches the gateway and can't be read there is an error of the fixture `gateway` at the end of the run.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.e2e.clients import Client
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry, Folder, running
from tests.e2e.test_gateway_faults import NONSENSE
from tests.e2e.test_smuggling import CHUNKED, CHUNKS, GET, HEADS, POST

HOST = "app1.alpha.aigw.example.com"
SECONDS = 8.0
SEED = 20260101
SIZED = POST + b"Content-Length: 5\r\n\r\nhello"
REQUESTS = [
    *HEADS.values(),
    *(CHUNKED + chunks for chunks in CHUNKS.values() if len(chunks) < 1000),
    *[GET + b"\r\n", SIZED, CHUNKED + b"5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"] * 30,
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    *(nonsense for nonsense in NONSENSE.values() if len(nonsense) < 500),
]
FRAGMENTS = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b"\0", b"\xff", b"chunked", b"A" * 200),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Host: x\r\n"),
    *(b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0", b"HTTP/1.1"),
    *(b"0\r\n\r\n", b"5\r\nhello\r\n", b"HTTP/1.1 101 Switching Protocols\r\n", b"HTTP/1.1 103 Hints\r\n\r\n"),
]


@pytest.fixture
def noisy(tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway) -> Iterator[Entry]:
    folder = Folder(tmp_path_factory.mktemp("noisy"))
    write_platform(folder, authority)
    brief = {"firstByte": 1, "idle": 1}
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]}, timeouts=brief)
    with running(folder, authority, "--drain-delay", "0", "--drain-timeout", "2") as entry:
        yield entry
    assert [line for line in entry.messages if "level=error" in line] == []
    assert entry.garbled == []


def test_noise_on_both_sides(noisy: Entry, gateway: Gateway) -> None:
    async def noise(exchange: Exchange) -> None:
        await exchange.read_body()
        answer = _mutate(chance, chance.choice(ANSWERS))
        cut = chance.randrange(len(answer) + 1)
        await exchange.send(answer[:cut])
        await exchange.send(answer[cut:])
        ending = chance.random()
        if ending < 0.3:
            exchange.close()
        elif ending < 0.4:
            exchange.reset()

    chance = random.Random(SEED)
    paths = [gateway.script(noise).encode(), gateway.path().encode()]
    workers = noisy.workers()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with noisy.client(HOST) as client:
            _make_noise(client, chance, paths)
    with noisy.client(HOST) as client:
        assert client.get(gateway.path()).status == 200
    assert noisy.workers() == workers
    wait_until(lambda: noisy.metric("entryproxy_requests_in_flight") == 0, "a request never ended")
    wait_until(lambda: noisy.metric("entryproxy_client_connections") == 0, "a connection was never given back", 10)


def _make_noise(client: Client, chance: random.Random, paths: list[bytes]) -> None:
    """A few requests, mostly spoilt, in one or two pieces; the answers only have to come to an end."""
    requests = [
        _mutate(chance, chance.choice(REQUESTS)).replace(b"{path}", chance.choice(paths))
        for _ in range(chance.choice((1, 1, 2, 3)))
    ]
    data = b"".join(requests)
    cut = chance.randrange(len(data) + 1)
    client.try_send(data[:cut])
    client.try_send(data[cut:])
    client.socket.settimeout(0.02)
    with contextlib.suppress(OSError):
        client.read_to_end()


def _mutate(chance: random.Random, message: bytes) -> bytes:
    """The message with up to three faults: something put in, taken out, changed or repeated."""
    spoilt = bytearray(message)
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        at = chance.randrange(len(spoilt) + 1)
        fault = chance.randrange(4)
        if fault == 0:
            spoilt[at:at] = chance.choice(FRAGMENTS)
        elif fault == 1:
            del spoilt[at : at + chance.randrange(1, 5)]
        elif fault == 2:
            spoilt[at : at + 1] = bytes([chance.randrange(256)])
        else:
            spoilt[at:at] = spoilt[at : at + 50]
    return bytes(spoilt)
