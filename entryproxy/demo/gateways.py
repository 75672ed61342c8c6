"""Stand-ins for the tenants' gateways: they show what arrived and how streams pass. For the demo only.

A process of its own (`python -m entryproxy.demo.gateways TENANT…`): one HTTP server a tenant on a free port of
127.0.0.1. It prints one line of JSON, tenant to address, and ends with its standard input: it never outlives the demo.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import WSMsgType, web

_SECONDS_MAX = 3_600.0
_EVENTS_MAX = 1_000_000
_SIZE_MAX = 1_000_000_000_000
_BLOCK = bytes(range(256)) * 256
_CLOSE_SECONDS = 1.0  # for the other side's close frame: curl never sends one
_KEEPALIVE_SECONDS = 180.0  # as in Higress

_TENANT: web.AppKey[str] = web.AppKey("tenant", str)


def make_app(tenant: str) -> web.Application:
    """The stand-in gateway of one tenant. Every answer carries `X-Demo-Gateway: <tenant>`."""
    app = web.Application(client_max_size=0)
    app[_TENANT] = tenant
    app.on_response_prepare.append(_sign)
    app.router.add_get("/sse", _send_events)
    app.router.add_get("/ws", _talk)
    app.router.add_get("/slow", _answer_late)
    app.router.add_get("/bytes", _send_bytes)
    app.router.add_route("*", "/upload", _count_upload)
    app.router.add_route("*", "/status", _answer_status)
    app.router.add_route("*", "/{path:.*}", _show_request)
    return app


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Demo-Gateway"] = request.app[_TENANT]


async def _show_request(request: web.Request) -> web.Response:
    """What the gateway received, as JSON."""
    size, _ = await _read_body(request)
    return _json(
        {
            "demo": f"stand-in gateway of {request.app[_TENANT]}: this is what it received",
            "method": request.method,
            "path": request.raw_path,
            "headers": {name: ", ".join(request.headers.getall(name)) for name in request.headers},
            "bodyBytes": size,
        }
    )


async def _send_events(request: web.Request) -> web.StreamResponse:
    """Server-sent events, `events` of them, one each `interval` seconds; without `events`, until the client goes."""
    events = int(_number(request, "events", _EVENTS_MAX, _EVENTS_MAX))
    interval = _number(request, "interval", 1.0, _SECONDS_MAX)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for number in range(1, events + 1):
        event = {"event": number, "of": request.app[_TENANT], "sent": _now()}
        await response.write(f"id: {number}\ndata: {json.dumps(event)}\n\n".encode())
        if number < events:
            await asyncio.sleep(interval)
    return response


async def _talk(request: web.Request) -> web.WebSocketResponse:
    """WebSocket: says `greetings` sentences and closes; without `greetings`, sends back what it hears."""
    greetings = int(_number(request, "greetings", 0, _EVENTS_MAX))
    socket = web.WebSocketResponse(timeout=_CLOSE_SECONDS)
    await socket.prepare(request)
    for number in range(1, greetings + 1):
        await socket.send_str(f" {number}: hello from {request.app[_TENANT]} at {_now()}\n")
        await asyncio.sleep(0.5)
    if not greetings:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
    await socket.close()
    return socket


async def _answer_late(request: web.Request) -> web.Response:
    """The head of the answer comes after `seconds`."""
    seconds = _number(request, "seconds", 1.0, _SECONDS_MAX)
    await asyncio.sleep(seconds)
    return _json({"of": request.app[_TENANT], "sleptSeconds": seconds})


async def _send_bytes(request: web.Request) -> web.StreamResponse:
    """An answer of `size` bytes, made as it is sent."""
    left = int(_number(request, "size", 1_000_000, _SIZE_MAX))
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = left
    await response.prepare(request)
    while left > 0:
        block = _BLOCK[:left]
        await response.write(block)
        left -= len(block)
    return response


async def _count_upload(request: web.Request) -> web.Response:
    """Counts and hashes the body as it comes."""
    size, digest = await _read_body(request)
    return _json({"of": request.app[_TENANT], "bodyBytes": size, "sha256": digest})


async def _answer_status(request: web.Request) -> web.Response:
    """An answer with status `code`, 200 to 599."""
    code = int(_number(request, "code", 200, 599))
    if code < 200:
        raise web.HTTPBadRequest(text="code must be between 200 and 599\n")
    return web.Response(status=code) if code in (204, 304) else _json({"of": request.app[_TENANT]}, code)


async def _read_body(request: web.Request) -> tuple[int, str]:
    """Bytes and SHA-256 of the body, of which only a piece is held at a time."""
    size = 0
    digest = hashlib.sha256()
    async for piece in request.content.iter_any():
        size += len(piece)
        digest.update(piece)
    return size, digest.hexdigest()


def _number(request: web.Request, name: str, default: float, highest: float) -> float:
    try:
        number = float(request.query.get(name, default))
    except ValueError:
        number = -1.0
    if not 0 <= number <= highest:
        raise web.HTTPBadRequest(text=f"{name} must be a number between 0 and {highest:g}\n")
    return number


def _json(content: object, status: int = 200) -> web.Response:
    return web.json_response(text=json.dumps(content, indent=2) + "\n", status=status)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def _serve(tenants: Sequence[str]) -> None:
    """Print the addresses, then serve until standard input ends or a signal comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    runners: list[web.AppRunner] = []
    addresses: dict[str, str] = {}
    for tenant in tenants:
        runner = web.AppRunner(
            make_app(tenant), access_log=None, keepalive_timeout=_KEEPALIVE_SECONDS, shutdown_timeout=0.0
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        host, port = runner.addresses[0]
        addresses[tenant] = f"{host}:{port}"
    print(json.dumps(addresses), flush=True)
    await stop.wait()
    loop.remove_reader(sys.stdin.fileno())
    for runner in runners:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="entryproxy.demo.gateways", description=__doc__.partition("\n")[0])
    parser.add_argument("tenants", nargs="+", metavar="TENANT")
    asyncio.run(_serve(parser.parse_args().tenants))


if __name__ == "__main__":
    main()
