"""Clients that wrk can't replace: one full TLS handshake per request, and thousands of idle connections.

wrk keeps a connection's TLS object over reconnects and so may resume; these never do. A program of its own, pinned by
the caller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import sys
import threading
import time

import uvloop

from bench.site import HOST

_THREADS = 16
_OPENING_AT_ONCE = 32
_REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nAccept: */*\r\n"
_CLOSING = f"{_REQUEST}Connection: close\r\n\r\n".encode()
_KEEPING = f"{_REQUEST}\r\n".encode()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class Handshakes:
    """Threads that connect, ask once, read the answer, and start again; OpenSSL runs outside the interpreter's lock."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._context = _context()
        self._done = [0] * _THREADS
        self._failed = [0] * _THREADS

    def run(self, seconds: float) -> dict[str, float]:
        """Requests, failures and the time it took."""
        start = time.monotonic()
        threads = [threading.Thread(target=self._work, args=(n, start + seconds)) for n in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {
            "requests": sum(self._done) + sum(self._failed),
            "failed": sum(self._failed),
            "seconds": time.monotonic() - start,
        }

    def _work(self, number: int, deadline: float) -> None:
        while time.monotonic() < deadline:
            try:
                self._one()
                self._done[number] += 1
            except (OSError, ValueError):
                self._failed[number] += 1
                time.sleep(0.01)

    def _one(self) -> None:
        with (
            _connected(self._address) as plain,
            self._context.wrap_socket(plain, server_hostname=HOST, suppress_ragged_eofs=True) as connection,
        ):
            connection.sendall(_CLOSING)
            answer = b""
            while not is_complete(answer):  # not until the end of the connection: Envoy waits a second for our close
                received = connection.recv(16_384)
                if not received:
                    raise ValueError("answer cut short")
                answer += received
            if connection.session_reused or not answer.startswith(b"HTTP/1.1 200 "):
                raise ValueError("resumed, or not answered")


def _connected(address: tuple[str, int]) -> socket.socket:
    plain = socket.socket()
    plain.settimeout(5)
    plain.connect(address)
    return plain


def is_complete(answer: bytes) -> bool:
    """Whether head and body are there, the body by Content-Length or, in chunks, by the last one."""
    head, end_of_head, body = answer.partition(b"\r\n\r\n")
    if not end_of_head:
        return False
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"content-length" in fields:
        return len(body) >= int(fields[b"content-length"])
    return body.endswith(b"0\r\n\r\n")


async def hold_idle(port: int, connections: int) -> None:
    """Open `connections`, ask once on each, say so, and keep them until standard input ends."""
    context = _context()
    gate = asyncio.Semaphore(_OPENING_AT_ONCE)
    held: list[asyncio.StreamWriter] = []

    async def open_one() -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
            writer.write(_KEEPING)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(head.decode("latin-1"))
            await reader.read(16_384)
            held.append(writer)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(open_one())
    print(json.dumps({"requests": len(held), "failed": 0}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for writer in held:
        writer.transport.abort()


def main() -> None:
    """`handshakes` prints its report and ends; `idle` prints one when all connections stand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=["handshakes", "idle"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=100)
    options = parser.parse_args()
    if options.client == "handshakes":
        print(json.dumps(Handshakes(options.port).run(options.seconds)))
    else:
        uvloop.run(hold_idle(options.port, options.connections))


if __name__ == "__main__":
    main()
