"""Gateways for the entry to talk to: raw TCP servers that answer well by default and, per path, as badly as wanted.

All of them live on one event loop in a thread of its own, so that tests stay plain functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Fields = Sequence[tuple[str, str]]
BODYLESS_STATUSES = frozenset({*range(100, 200), 204, 304})


class Background:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="gateways", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 15.0) -> T:
        """Run `work` on the loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def close(self) -> None:
        self.run(self._cancel_everything())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _cancel_everything(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.loop.shutdown_asyncgens()


class Latch:
    """Opened by the test's thread, awaited by a script."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def open(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()


class Exchange:
    """One request that reached a gateway, and the means to answer it, well or badly."""

    def __init__(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        self.head = head
        self.connection = connection
        request_line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        self.method, self.target, self.version = request_line.split(" ")
        self.fields = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
        self.body = b""
        self.trailers: list[tuple[str, str]] = []
        self.complete = False
        self.broken = False
        self.finished = threading.Event()
        self._reader = reader
        self._writer = writer

    # -- what was received

    def all(self, name: str) -> list[str]:
        """The values of every field of that name, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of a field that must not be repeated."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} repeated: {values}"
        return values[0] if values else None

    async def read_body(self) -> bytes:
        """The whole body; `complete` tells afterwards that it really was whole."""
        if self.complete:
            return self.body
        if self.get("transfer-encoding") is not None:
            assert self.get("transfer-encoding") == "chunked"
            assert self.get("content-length") is None
            while await self.read_chunk():
                pass
        else:
            await self._read_sized(int(self.get("content-length") or 0))
        self.complete = True
        return self.body

    async def read_chunk(self) -> bytes:
        """One chunk of a chunked body, b"" for the last, whose trailers are then known."""
        size = int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            while (line := await self._reader.readuntil(b"\r\n")) != b"\r\n":
                name, _, value = line.decode("latin-1").partition(":")
                self.trailers.append((name, value.strip()))
            self.complete = True
            return b""
        piece = await self._reader.readexactly(size)
        self.body += piece
        assert await self._reader.readexactly(2) == b"\r\n"
        return piece

    async def _read_sized(self, size: int) -> None:
        while len(self.body) < size:
            piece = await self._reader.read(min(65_536, size - len(self.body)))
            if not piece:
                raise ConnectionResetError("the body ended early")
            self.body += piece

    async def read(self, count: int = 65_536) -> bytes:
        """Raw bytes as they come, for what follows an upgrade and for bodies that nobody keeps."""
        return await self._reader.read(count)

    # -- what is answered

    async def send(self, data: bytes) -> None:
        """Raw bytes, on the wire when this returns as far as the kernel takes them."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(
        self, status: int = 200, body: bytes = b"", fields: Fields = (), reason: str = "Fine", *, sized: bool = True
    ) -> None:
        """A well-formed answer with a Content-Length where the status has a body."""
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
        if sized and status not in BODYLESS_STATUSES:
            lines.append(f"Content-Length: {len(body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        await self.send(head if self.method == "HEAD" else head + body)

    async def echo(self) -> None:
        """Answer with everything that was received, as JSON."""
        await self.read_body()
        seen = {
            "method": self.method,
            "target": self.target,
            "fields": self.fields,
            "trailers": self.trailers,
            "body": self.body.decode("latin-1") if len(self.body) <= 65_536 else "",
            "bodyBytes": len(self.body),
            "connection": self.connection,
        }
        await self.answer(200, json.dumps(seen).encode(), [("Content-Type", "application/json")])

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.broken = True
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection after what was sent."""
        self.broken = True
        self._writer.close()


Script = Callable[[Exchange], Awaitable[None]]


class Gateway:
    """A tenant's gateway on loopback. `script(…)` gives a path that behaves; every other path echoes."""

    def __init__(
        self, background: Background, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.host = host
        self.requests: list[Exchange] = []
        self.errors: list[Exception] = []  # of scripts; the suite ends red when there is one
        self.connections = 0
        self.bytes_received_by_connection: dict[int, int] = {}
        self._background = background
        self._scripts: dict[str, Script] = {}
        self._numbers = itertools.count(1)
        self._server = background.run(self._listen(tls, port))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def script(self, script: Script) -> str:
        """A fresh path that `script` answers."""
        path = self.path()
        self._scripts[path] = script
        return path

    def path(self) -> str:
        """A fresh path that echoes, so that tests find their own requests."""
        return f"/case{next(self._numbers)}-{time.monotonic_ns()}"

    def latch(self) -> Latch:
        return Latch(self._background.loop)

    def seen(self, path: str) -> list[Exchange]:
        """The requests whose target begins with `path`, oldest first."""
        return [one for one in list(self.requests) if one.target.startswith(path)]

    def only(self, path: str) -> Exchange:
        """The one request for `path`; a second one is an error."""
        wait_until(lambda: bool(self.seen(path)), f"no request for {path} reached the gateway")
        (exchange,) = self.seen(path)
        return exchange

    def close(self) -> None:
        self._background.run(self._close())

    async def _close(self) -> None:
        self._server.close()

    async def _listen(self, tls: ssl.SSLContext | None, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, port, ssl=tls, limit=1 << 20, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await self._serve_one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.close()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        """One request; False when the connection is over."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            self.bytes_received_by_connection[number] = len(end.partial)
            return False
        exchange = Exchange(head, reader, writer, number)
        self.requests.append(exchange)
        script = self._scripts.get(exchange.target.partition("?")[0], Exchange.echo)
        try:
            await script(exchange)
            if not exchange.broken and exchange.get("upgrade") is None:
                await exchange.read_body()
        finally:
            exchange.finished.set()
        return not exchange.broken and exchange.get("connection") != "close" and exchange.get("upgrade") is None


def wait_until(condition: Callable[[], bool], otherwise: str, seconds: float = 5.0) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(0.01)
