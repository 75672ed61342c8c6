"""Load for the tests that need a lot of it: asyncio clients of the entry, gateways that make and take large bodies."""

from __future__ import annotations

import asyncio
import ssl

from tests.e2e.gateways import Exchange
from tests.e2e.harness import Entry

PIECE = bytes(65_536)


async def download(exchange: Exchange) -> None:
    """Answer with as many bytes as the target's query says."""
    size = int(exchange.target.partition("?")[2])
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // len(PIECE)):
        await exchange.send(PIECE)
    await exchange.send(PIECE[: size % len(PIECE)])


class SlowSink:
    """Takes uploads at a pace, and says how many bytes came."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds

    async def __call__(self, exchange: Exchange) -> None:
        size = left = int(exchange.get("content-length") or 0)
        while left:
            piece = await exchange.read(min(left, len(PIECE)))
            if not piece:
                raise ConnectionResetError("the upload was given up")
            left -= len(piece)
            await asyncio.sleep(self._pause_seconds)
        exchange.complete = True
        await exchange.answer(200, b"%d" % size)


class Stream:
    """One TLS connection of an asyncio client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader = reader
        self.writer = writer
        self._host = host

    @classmethod
    async def open(cls, entry: Entry, host: str, context: ssl.SSLContext, limit: int = 1 << 17) -> Stream:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", entry.ports["https"], ssl=context, server_hostname=host, limit=limit
        )
        return cls(reader, writer, host)

    def begin(self, method: str, target: str, *lines: str) -> None:
        """Send a request's head."""
        head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {self._host}", *lines])
        self.writer.write(head.encode() + b"\r\n\r\n")

    async def head(self) -> bytes:
        """The next answer's head."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> bytes:
        """The next answer's body, which has a length; anything but 200 is an error."""
        head = await self.head()
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return await self.reader.readexactly(int(length))

    async def close(self) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass
