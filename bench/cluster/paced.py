"""Traffic at a fixed pace, whatever the answers take; a request's wait for a free connection is part of its latency
(no coordinated omission), how late the timer woke us is not.

`python -m bench.cluster.paced PORT HOST RATE SECONDS CONNECTIONS` prints the latencies in milliseconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from time import perf_counter

import uvloop


class Client(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, host: str) -> None:
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: asyncio.Future[None] | None = None

    async def ask(self) -> None:
        """Send one request; returns when its answer is there, raises when it is not 200 or never comes."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        await self._answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._answered is None:
            return
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        if len(body) < length:
            return
        self._received = b""
        if head.startswith(b"HTTP/1.1 200 "):
            self._answered.set_result(None)
        else:
            self._answered.set_exception(RuntimeError(head.decode()))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError())


async def run(port: int, host: str, rate: float, seconds: float, connections: int) -> list[float]:
    """Latencies in milliseconds, in the order in which the requests were due; not by the loop's own clock, which counts
    whole milliseconds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    loop = asyncio.get_running_loop()
    idle: asyncio.Queue[Client] = asyncio.Queue()
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: Client(host), "127.0.0.1", port, ssl=context, server_hostname=host
        )
        await client.ask()
        idle.put_nowait(client)

    async def one(begun: float) -> float:
        client = await idle.get()
        await client.ask()
        idle.put_nowait(client)
        return (perf_counter() - begun) * 1000

    start = perf_counter()
    asked = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(start + number / rate - perf_counter())
        asked.append(asyncio.ensure_future(one(perf_counter())))
    latencies = await asyncio.gather(*asked)
    while not idle.empty():
        idle.get_nowait().close()
    return latencies


def main(port: str, host: str, rate: str, seconds: str, connections: str) -> None:
    uvloop.install()
    print(json.dumps(asyncio.run(run(int(port), host, float(rate), float(seconds), int(connections)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
