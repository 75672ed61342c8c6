"""The loop's side of a fault proxy: TLS and HTTP/1.1 on both sides, and every fault on the way through."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import ssl
import struct
import time
import weakref
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn

import aiohttp
import yarl
from aiohttp import web

from tests.cluster.faults import (
    Altered,
    Answer,
    Delayed,
    Fault,
    Injection,
    Request,
    Reset,
    Selector,
    Silent,
    Torn,
    is_watch,
    token_digest,
)

_NOT_PASSED_ON = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "keep-alive", "transfer-encoding"}
)
_GOODBYE_SECONDS_MAX = 10
_NO_LINGER = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing resets the connection


@dataclasses.dataclass(slots=True, eq=False)
class _Watch:
    """An open watch, into which the test may write."""

    request: Request
    upstream: aiohttp.ClientResponse
    response: web.StreamResponse
    is_ended: bool = False


class FaultServer:
    """Passes requests on to an API server as far as the injected faults let it.

    requests: all that arrived, in order; injections: the oldest that takes a request counts; flowing: while cleared,
    nothing is passed on, either way.
    """

    def __init__(self, upstream: str, trust: ssl.SSLContext, rewrites: Sequence[tuple[bytes, bytes]]) -> None:
        """upstream: `https://host:port`; rewrites: what is replaced, by what, in every answer."""
        self.requests: list[Request] = []
        self.injections: list[Injection] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._upstream = upstream
        self._rewrites = rewrites
        self._watches: set[_Watch] = set()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trust, socket_factory=self._make_socket),
            timeout=aiohttp.ClientTimeout(total=None, connect=10),
            skip_auto_headers=["Accept-Encoding", "User-Agent"],
        )
        self._front = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._listener: asyncio.Server | None = None

    # -- life

    async def listen(self, port: int, context: ssl.SSLContext) -> None:
        """Accept connections to a loopback port, shared with the socket that reserves it."""
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(
                self._front, "127.0.0.1", port, ssl=context, reuse_port=True, backlog=1024
            )

    def refuse(self) -> None:
        """Refuse connections; the open ones are another matter."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def close(self) -> None:
        self.refuse()
        self.reset_all()
        await self._front.shutdown(timeout=1)
        await self._session.close()
        # TLS connections that ended earlier may still be saying goodbye; the loop must not stop before they are done.
        async with asyncio.timeout(_GOODBYE_SECONDS_MAX):
            while any(sock.fileno() != -1 for sock in self._sockets):
                await asyncio.sleep(0.01)

    def _make_socket(self, address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol = address[:3]
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        self._sockets.add(sock)
        return sock

    # -- what is open

    def reset_all(self) -> None:
        """Reset every connection."""
        for connection in self._front.connections:
            if connection.transport is not None:
                _reset(connection.transport)

    async def write_to_watches(self, data: bytes, selector: Selector, *, end: bool) -> int:
        """Put bytes between two events of every open watch that is meant, and end it if wanted; the watches' number."""
        watches = [watch for watch in self._watches if selector(watch.request)]
        for watch in watches:
            await watch.response.write(data)
            if end:
                watch.is_ended = True
                watch.upstream.close()
        return len(watches)

    # -- a request

    async def _serve(self, incoming: web.BaseRequest) -> web.StreamResponse:
        request = _describe(incoming)
        self.requests.append(request)
        await self.flowing.wait()
        fault = self._fault_for(request)
        match fault:
            case Answer():
                fields = {"Content-Type": "application/json", **fault.fields}
                request.status = fault.status
                return web.Response(status=fault.status, headers=fields, body=fault.body)
            case Reset():
                await _reset_and_wait(incoming)
            case Silent():
                await _wait_forever()
            case Delayed():
                await asyncio.sleep(fault.seconds)
        try:
            return await self._pass_on(incoming, request, fault)
        except aiohttp.ClientError:
            await _reset_and_wait(incoming)

    def _fault_for(self, request: Request) -> Fault | None:
        for injection in self.injections:
            if injection.takes(request):
                injection.used += 1
                return injection.fault
        return None

    async def _pass_on(self, incoming: web.BaseRequest, request: Request, fault: Fault | None) -> web.StreamResponse:
        url = yarl.URL(self._upstream + incoming.raw_path, encoded=True)
        fields = [(name, value) for name, value in incoming.headers.items() if name.lower() not in _NOT_PASSED_ON]
        body = await incoming.read()
        async with self._session.request(incoming.method, url, headers=fields, data=body or None) as upstream:
            answered = [(name, text) for name, text in upstream.headers.items() if name.lower() not in _NOT_PASSED_ON]
            if is_watch(request) and upstream.status == 200:
                response = web.StreamResponse(status=upstream.status, headers=dict(answered))
                await self._pass_events(incoming, _Watch(request, upstream, response), fault)
                return response
            answer = self._rewritten(await upstream.read())
            if isinstance(fault, Altered):
                answer = json.dumps(fault.change(json.loads(answer))).encode()
            await self.flowing.wait()
            request.status = upstream.status
            return web.Response(status=upstream.status, headers=dict(answered), body=answer)

    async def _pass_events(self, incoming: web.BaseRequest, watch: _Watch, fault: Fault | None) -> None:
        await self.flowing.wait()
        watch.response.enable_chunked_encoding()
        await watch.response.prepare(incoming)
        watch.request.status = watch.response.status
        self._watches.add(watch)
        passed = 0
        try:
            async for line in _lines(watch.upstream.content):
                await self.flowing.wait()
                if isinstance(fault, Torn) and passed == fault.after_events:
                    await watch.response.write(line[: len(line) // 2])
                    return
                await watch.response.write(self._rewritten(line))
                passed += 1
        except aiohttp.ClientError:
            if not watch.is_ended:
                raise
        finally:
            self._watches.discard(watch)

    def _rewritten(self, answer: bytes) -> bytes:
        for old, new in self._rewrites:
            answer = answer.replace(old, new)
        return answer


def _describe(incoming: web.BaseRequest) -> Request:
    scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
    digest = token_digest(token) if scheme.lower() == "bearer" else ""
    return Request(incoming.method, incoming.path, dict(incoming.query), time.monotonic(), digest)


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines however long: an event with a big object is one."""
    rest = b""
    async for piece in stream.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


async def _reset_and_wait(incoming: web.BaseRequest) -> NoReturn:
    if incoming.transport is not None:
        _reset(incoming.transport)
    await _wait_forever()


async def _wait_forever() -> NoReturn:
    """Until the connection's end cancels this task."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody sets that future")


def _reset(transport: asyncio.BaseTransport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
