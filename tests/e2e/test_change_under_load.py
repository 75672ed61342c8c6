"""A thousand tenants come, change and go while 200 connections of other tenants run: none of them may notice.

Printed and recorded: how long the changes took to be in force, as the entry measures it. The benchmark judges that.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.certificates import Authority
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry, Folder, running
from tests.e2e.loads import Stream
from tests.e2e.sockets import WebSocketGateway, open_websocket

TENANTS = 1000
HOST = "app1.alpha.aigw.example.com"
KEEP_ALIVE, EVENT_STREAMS, SOCKETS = 70, 60, 70
BEAT_SECONDS = 0.25
WRITES_PER_SECOND = 150

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def loaded(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway, sockets: WebSocketGateway
) -> Iterator[Entry]:
    folder = Folder(tmp_path_factory.mktemp("loaded"))
    write_platform(folder, authority)
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]})
    write_tenant(folder, authority, "sockets", gateway={"addresses": [sockets.address]})
    with running(folder, authority, "--drain-delay", "0", "--drain-timeout", "2") as entry:
        yield entry
    assert [line for line in entry.messages if "Traceback" in line or "level=error" in line] == []
    assert entry.garbled == []


def test_a_thousand_changes(loaded: Entry, gateway: Gateway, record_property: Callable[[str, object], None]) -> None:
    beats = asyncio.run(_load_while_changing(loaded, gateway))
    assert len(beats) == KEEP_ALIVE + EVENT_STREAMS + SOCKETS
    assert min(beats) > 5  # every connection was at work all the time
    count, p50, p99 = _propagation(loaded)
    assert count > TENANTS / 100  # many changes may settle into one
    record_property("propagation_seconds_p99", p99)
    print(f"{count:.0f} changes in force, half of them within {p50} s, 99 % within {p99} s")


async def _load_while_changing(entry: Entry, gateway: Gateway) -> list[int]:
    """Run the load and the changes; the beats of every connection. A connection that fails fails everything."""
    over = asyncio.Event()
    context = entry.authority.context()
    echo, events = gateway.script(_short_answer), gateway.script(_count_upwards)
    streams = [await Stream.open(entry, HOST, context) for _ in range(KEEP_ALIVE + EVENT_STREAMS)]
    load = [
        *(_keep_alive(stream, echo, over) for stream in streams[:KEEP_ALIVE]),
        *(_events(stream, events, over) for stream in streams[KEEP_ALIVE:]),
        *(_socket(entry, over) for _ in range(SOCKETS)),
    ]
    async with asyncio.TaskGroup() as group:
        running_load = [group.create_task(one) for one in load]
        await asyncio.sleep(1)
        await asyncio.to_thread(_change_tenants, entry, gateway)
        over.set()
    return [one.result() for one in running_load]


def _change_tenants(entry: Entry, gateway: Gateway) -> None:
    folder = entry.folder
    names = [f"t{number}" for number in range(TENANTS)]
    for name in _paced(names):
        folder.tenant(name, gateway={"addresses": [gateway.address]}, domains=[f"{name}.example.org"])
    wait_until(lambda: entry.metric("entryproxy_tenants") == TENANTS + 2, "not all were added", 20)
    for name in _paced(names):
        folder.tenant(name, gateway={"addresses": [gateway.address]}, limits={"requestsPerSecond": 5})
    for name in _paced(names):
        folder.remove_tenant(name)
    wait_until(lambda: entry.metric("entryproxy_tenants") == 2, "not all were removed", 20)


def _paced(names: list[str]) -> Iterator[str]:
    started = time.monotonic()
    for number, name in enumerate(names):
        time.sleep(max(0.0, started + number / WRITES_PER_SECOND - time.monotonic()))
        yield name


async def _short_answer(exchange: Exchange) -> None:
    await exchange.answer(200, b"ok")


async def _count_upwards(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    number = 0
    while True:
        event = b"data: %d\n\n" % number
        await exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
        number += 1
        await asyncio.sleep(BEAT_SECONDS)


async def _keep_alive(stream: Stream, path: str, over: asyncio.Event) -> int:
    """Requests on one connection; how many were answered."""
    beats = 0
    while not over.is_set():
        stream.begin("GET", path)
        assert await stream.answer() == b"ok"
        beats += 1
        await asyncio.sleep(BEAT_SECONDS)
    await stream.close()
    return beats


async def _events(stream: Stream, path: str, over: asyncio.Event) -> int:
    """Events of one stream, none of which may be missing. A proxy that is late may put several into one chunk."""
    stream.begin("GET", path)
    assert (await stream.head()).startswith(b"HTTP/1.1 200 ")
    beats, text = 0, b""
    while not over.is_set():
        size = int(await stream.reader.readuntil(b"\r\n"), 16)
        text += (await stream.reader.readexactly(size + 2))[:-2]
        *events, text = text.split(b"\n\n")
        for event in events:
            assert event == b"data: %d" % beats
            beats += 1
    await stream.close()
    return beats


async def _socket(entry: Entry, over: asyncio.Event) -> int:
    """Messages of one WebSocket; how many came back."""
    beats = 0
    async with open_websocket(entry, "chat.sockets.aigw.example.com", "/echo") as socket:
        while not over.is_set():
            await socket.send(str(beats))
            assert await socket.recv() == str(beats)
            beats += 1
            await asyncio.sleep(BEAT_SECONDS)
    return beats


def _propagation(entry: Entry) -> tuple[float, float, float]:
    """How many changes were measured, and upper bounds of their median and 99th percentile in seconds."""
    samples = [
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(entry.admin("/metrics")[1])
        for sample in family.samples
        if sample.name == "entryproxy_config_propagation_seconds_bucket"
    ]
    count = max(value for _, value in samples)

    def within(share: float) -> float:
        return min((bound for bound, value in samples if value >= share * count), default=math.inf)

    return count, within(0.5), within(0.99)
