"""Traffic of a tenant that nothing which goes wrong elsewhere may touch."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from tests.e2e.gateways import Background, Exchange, Gateway, wait_until
from tests.e2e.harness import Entry
from tests.e2e.loads import Stream

KEEP_ALIVE, EVENT_STREAMS, COMERS = 4, 3, 2
REQUEST_SECONDS = 0.04
EVENT_SECONDS = 0.05
COMING_SECONDS = 0.1
ANSWER_SECONDS_MAX = 10.0


class SteadyLoad:
    """Keep-alive connections, streams of events, and clients that come, ask and go, in a thread of their own.

    failures: what went wrong with any of them, which is nothing. A context manager.
    """

    def __init__(self, entry: Entry, host: str, gateway: Gateway) -> None:
        self.failures: list[str] = []
        self._entry = entry
        self._host = host
        self._context = entry.authority.context()
        self._beats: Counter[str] = Counter()
        self._echo = gateway.script(_short_answer)
        self._events = gateway.script(_count_upwards)
        self._background = Background()
        self._over = False

    def __enter__(self) -> Self:
        self._work = asyncio.run_coroutine_threadsafe(self._run(), self._background.loop)
        self.check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.check()
        finally:
            self._over = True
            self._work.result(ANSWER_SECONDS_MAX + 5)
            self._background.close()

    def check(self) -> None:
        """Not one request has failed, no event was missing, and every connection has got something since this call."""
        before = Counter(self._beats)
        wait_until(
            lambda: bool(self.failures) or all(self._beats[name] > before[name] for name in self._names()),
            "the load stands still",
            ANSWER_SECONDS_MAX + 5,
        )
        assert not self.failures, "\n".join(self.failures)

    def _names(self) -> list[str]:
        kinds = {"keep-alive": KEEP_ALIVE, "events": EVENT_STREAMS, "comer": COMERS}
        return [f"{kind} {number}" for kind, count in kinds.items() for number in range(count)]

    async def _run(self) -> None:
        kinds = {"keep-alive": self._keep_alive, "events": self._follow_events, "comer": self._come_and_go}
        await asyncio.gather(*(self._guard(name, kinds[name.split()[0]]) for name in self._names()))

    async def _guard(self, name: str, work: Callable[[str], Awaitable[None]]) -> None:
        try:
            await work(name)
        except (AssertionError, OSError, ssl.SSLError, EOFError) as failure:
            self.failures.append(f"{name} after {self._beats[name]}: {failure!r}")

    # -- kinds of clients

    async def _keep_alive(self, name: str) -> None:
        async with self._stream() as stream:
            while not self._over:
                await self._ask(stream)
                self._beats[name] += 1
                await asyncio.sleep(REQUEST_SECONDS)

    async def _come_and_go(self, name: str) -> None:
        while not self._over:
            async with self._stream() as stream:
                await self._ask(stream)
            self._beats[name] += 1
            await asyncio.sleep(COMING_SECONDS)

    async def _follow_events(self, name: str) -> None:
        async with self._stream() as stream:
            stream.begin("GET", self._events)
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                assert (await stream.head()).startswith(b"HTTP/1.1 200 ")
            rest = b""
            while not self._over:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    size = int(await stream.reader.readuntil(b"\r\n"), 16)
                    rest += (await stream.reader.readexactly(size + 2))[:-2]
                *events, rest = rest.split(b"\n\n")  # however they were cut into chunks
                for event in events:
                    assert event == b"data: %d" % self._beats[name]
                    self._beats[name] += 1

    @contextlib.asynccontextmanager
    async def _stream(self) -> AsyncIterator[Stream]:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            stream = await Stream.open(self._entry, self._host, self._context)
        try:
            yield stream
        finally:
            await stream.close()

    async def _ask(self, stream: Stream) -> None:
        stream.begin("GET", self._echo)
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            assert await stream.answer() == b"ok"


async def _short_answer(exchange: Exchange) -> None:
    await exchange.answer(200, b"ok")


async def _count_upwards(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in itertools.count():
        event = b"data: %d\n\n" % number
        await exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
        await asyncio.sleep(EVENT_SECONDS)
