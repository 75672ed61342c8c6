"""WebSockets by the `websockets` library: a gateway that speaks them, and clients through the entry."""

from __future__ import annotations

import asyncio

import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions

from tests.e2e.gateways import Background
from tests.e2e.harness import Entry


class WebSocketGateway:
    """Echoes messages; `/close/<code>` closes with that code and the reason "as asked"."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._server = background.run(self._listen())
        self.address = f"127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    def close(self) -> None:
        self._background.run(self._close())

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _listen(self) -> websockets.asyncio.server.Server:
        return await websockets.asyncio.server.serve(self._serve, "127.0.0.1", 0, compression=None, backlog=1024)

    async def _serve(self, socket: websockets.asyncio.server.ServerConnection) -> None:
        assert socket.request is not None
        kind, _, rest = socket.request.path.strip("/").partition("/")
        if kind == "close":
            await socket.close(int(rest), "as asked")
            return
        try:
            async for message in socket:
                await socket.send(message)
        except websockets.exceptions.ConnectionClosedError:
            pass  # the client went away without a word


def open_websocket(entry: Entry, host: str, path: str) -> websockets.asyncio.client.connect:
    """A WebSocket through the entry."""
    return websockets.asyncio.client.connect(
        f"wss://{host}{path}",
        host="127.0.0.1",
        port=entry.ports["https"],
        ssl=entry.authority.context(),
        server_hostname=host,
        compression=None,
        proxy=None,
    )


async def closed(socket: websockets.asyncio.client.ClientConnection, seconds: float) -> int:
    """The close code with which the other side ends `socket`."""
    async with asyncio.timeout(seconds):
        await socket.wait_closed()
    assert socket.close_code is not None
    return socket.close_code
