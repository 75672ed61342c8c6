"""Memory of a worker while many large bodies pass through slow clients.

By default each of the 200 clients takes or gives the first megabyte of a 100 MB body slowly and then goes away, so that
every buffer on the way is full. `ENTRYPROXY_E2E_FULL_BODIES=1` moves all 100 MB of all of them, both ways: 40 GB.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Coroutine, Iterator

import pytest

from tests.certificates import Authority
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry, Folder, peak_memory_bytes, running
from tests.e2e.loads import PIECE, SlowSink, Stream, download

CLIENTS = 200
BODY_BYTES = 100_000_000
FULL = os.environ.get("ENTRYPROXY_E2E_FULL_BODIES") == "1"
MOVED_BYTES = BODY_BYTES if FULL else 1_000_000
PEAK_BYTES_MAX = 150_000_000
PAUSE_SECONDS = 0.05
HOST = "app1.alpha.aigw.example.com"

pytestmark = pytest.mark.timeout(3600 if FULL else 120)


@pytest.fixture
def measured(tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway) -> Iterator[Entry]:
    """An entry whose memory nothing else has touched."""
    folder = Folder(tmp_path_factory.mktemp("memory"))
    write_platform(folder, authority)
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]})
    with running(folder, authority, "--drain-delay", "0", "--drain-timeout", "2") as entry:
        yield entry


def test_slow_downloads(measured: Entry, gateway: Gateway, record_property: Callable[[str, object], None]) -> None:
    path = gateway.script(download)

    async def one(stream: Stream) -> None:
        stream.begin("GET", f"{path}?{BODY_BYTES}")
        assert (await stream.head()).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(1)  # until everything between here and the gateway is full
        left = MOVED_BYTES
        while left:
            left -= len(await stream.reader.readexactly(min(left, len(PIECE))))
            await asyncio.sleep(0 if FULL else PAUSE_SECONDS)

    asyncio.run(_everybody(measured, one))
    _judge(measured, record_property)


def test_slow_uploads(measured: Entry, gateway: Gateway, record_property: Callable[[str, object], None]) -> None:
    path = gateway.script(SlowSink(0 if FULL else PAUSE_SECONDS))

    async def one(stream: Stream) -> None:
        stream.begin("PUT", path, f"Content-Length: {BODY_BYTES}")
        left = MOVED_BYTES
        while left:
            piece = PIECE[:left]
            left -= len(piece)
            stream.writer.write(piece)
            await stream.writer.drain()
        if FULL:
            assert await stream.answer() == b"%d" % BODY_BYTES
        else:
            await asyncio.sleep(1)

    asyncio.run(_everybody(measured, one))
    _judge(measured, record_property)


@pytest.mark.parametrize("kind", ["redirects", "refusals", "answers"])
def test_pipelined_requests_whose_answers_nobody_reads(measured: Entry, gateway: Gateway, kind: str) -> None:
    path = gateway.path()
    if kind == "redirects":
        client, request = measured.plain_client(HOST), b"GET / HTTP/1.1\r\nHost: a.alpha.aigw.example.com\r\n\r\n"
    else:
        client = measured.client(HOST)
        host = "other.example.org" if kind == "refusals" else HOST
        request = client.head("GET", path, [("Host", host)])
    with client:
        client.socket.settimeout(2)
        many = request * 1000
        with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
            for _ in range(400):
                client.send(many)
        peaks = [peak_memory_bytes(pid) for pid in measured.workers()]
    assert max(peaks) < PEAK_BYTES_MAX / 2


async def _everybody(entry: Entry, one: Callable[[Stream], Coroutine[None, None, None]]) -> None:
    context = entry.authority.context()
    streams = [await Stream.open(entry, HOST, context) for _ in range(CLIENTS)]
    try:
        async with asyncio.TaskGroup() as group:
            for stream in streams:
                group.create_task(one(stream))
    finally:
        for stream in streams:
            await stream.close()


def _judge(entry: Entry, record_property: Callable[[str, object], None]) -> None:
    workers = entry.workers()
    assert len(workers) == 2
    peaks = [peak_memory_bytes(pid) for pid in workers]
    record_property("worker_peak_bytes", peaks)
    print(f"peak memory of the workers: {[peak // 1_000_000 for peak in peaks]} MB")
    assert max(peaks) < PEAK_BYTES_MAX
