"""A stream of whole messages between the control process and one worker.

A frame is a length of four octets, big-endian, and that many octets of MessagePack. Both ends were forked from the same
supervisor, yet a frame that is too long or doesn't decode ends the channel instead of being trusted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

FRAME_BYTES_MAX = 2**30
_LENGTH_BYTES = 4

T = TypeVar("T")
_log = logging.getLogger(__name__)


class FrameError(ValueError):
    """The peer announced a frame over the limit."""


def frame(payload: bytes) -> bytes:
    """`payload` with its length in front; FrameError over FRAME_BYTES_MAX."""
    if len(payload) > FRAME_BYTES_MAX:
        raise FrameError(f"a frame of {len(payload)} bytes is over the limit of {FRAME_BYTES_MAX}")
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


class FrameReader:
    """Cuts received bytes, however torn, into the payloads of frames."""

    __slots__ = ("_bytes_max", "_received")

    def __init__(self, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._received = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order; FrameError as soon as an announced length is over the limit."""
        received = self._received
        received += data
        payloads: list[bytes] = []
        start = 0
        while len(received) - start >= _LENGTH_BYTES:
            length = int.from_bytes(received[start : start + _LENGTH_BYTES], "big")
            if length > self._bytes_max:
                raise FrameError(f"a frame of {length} bytes is over the limit of {self._bytes_max}")
            end = start + _LENGTH_BYTES + length
            if end > len(received):
                break
            payloads.append(bytes(received[start + _LENGTH_BYTES : end]))
            start = end
        del received[:start]
        return payloads


class Channel(asyncio.Protocol, Generic[T]):
    """One end of a channel: decoded messages of type T go to `on_message`, its end, once, to `on_end`."""

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[T],
        on_message: Callable[[Channel[T], T], None],
        on_end: Callable[[Channel[T]], None],
    ) -> None:
        self._decoder = decoder
        self._on_message = on_message
        self._on_end = on_end
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.Event()

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        decoder: msgspec.msgpack.Decoder[T],
        on_message: Callable[[Channel[T], T], None],
        on_end: Callable[[Channel[T]], None],
    ) -> Channel[T]:
        """Take over a connected stream socket."""
        sock.setblocking(False)
        channel = cls(decoder, on_message, on_end)
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=sock)
        return channel

    def send(self, payload: bytes) -> None:
        """Queue one encoded message; dropped when the channel has ended, of which its owner hears by `on_end`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(payload))

    async def close(self) -> None:
        """End the channel; what is queued is still sent. Returns when `on_end` has been called."""
        if self._transport is not None:
            self._transport.close()
        await self._ended.wait()

    def abort(self) -> None:
        """End the channel, whatever is queued."""
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._reader.feed(data):
                self._on_message(self, self._decoder.decode(payload))
        except (FrameError, msgspec.MsgspecError) as error:
            _log.error("channel ended: %s", error)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended.set()
        self._on_end(self)
