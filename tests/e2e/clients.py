"""A client that sends exactly the bytes it is told to, over TLS with any SNI, and reads answers strictly."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import ssl
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from tests.e2e.gateways import BODYLESS_STATUSES, Fields

SECONDS = 10.0
"""How long a read waits before the test fails."""


class TruncatedError(Exception):
    """The answer ended before its framing says so."""


@dataclasses.dataclass(slots=True)
class Response:
    """An answer, whole."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} repeated: {values}"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    def received(self, name: str) -> list[str]:
        """The values of a field that the echoing gateway received."""
        return [value for key, value in self.json()["fields"] if key.lower() == name.lower()]


class Client:
    """One connection to the entry."""

    def __init__(self, sock: socket.socket, host: str) -> None:
        self.socket = sock
        self.host = host
        self.ended = False
        self.reset = False
        self.close_notify = False
        self._buffer = bytearray()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def end(self, *, reset: bool) -> None:
        """Go away, politely or with a TCP reset."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.socket.settimeout(0.2)
            with contextlib.suppress(OSError):
                self.tls.unwrap()
        self.close()

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket

    # -- sending

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def try_send(self, data: bytes) -> None:
        """Send to a peer that may already have closed."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(data)

    def head(self, method: str, path: str, fields: Fields = (), version: str = "HTTP/1.1") -> bytes:
        """A request head with the connection's host."""
        names = {name.lower() for name, _ in fields}
        host = [] if "host" in names else [("Host", self.host)]
        lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in [*host, *fields])]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def request(self, method: str, path: str, fields: Fields = (), body: bytes | None = None) -> Response:
        """Send a request, whole, and read its final answer."""
        if body is not None:
            fields = [*fields, ("Content-Length", str(len(body)))]
        self.send(self.head(method, path, fields) + (body or b""))
        return self.response(method)

    def get(self, path: str, *fields: tuple[str, str]) -> Response:
        return self.request("GET", path, fields)

    # -- receiving

    def receive(self) -> bool:
        """Wait for more bytes; False at the connection's end, whose manner is then noted."""
        try:
            piece = self.socket.recv(65_536)
        except (ConnectionResetError, BrokenPipeError):
            self.ended = self.reset = True
            return False
        except ssl.SSLEOFError:
            self.ended = True
            return False
        if not piece:
            self.ended = True
            self.close_notify = isinstance(self.socket, ssl.SSLSocket)
            return False
        self._buffer += piece
        return True

    def read_until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            if not self.receive():
                raise TruncatedError(f"ended after {bytes(self._buffer)!r}")
        return self.read(at + len(mark))

    def read(self, count: int) -> bytes:
        """Exactly that many bytes."""
        while len(self._buffer) < count:
            if not self.receive():
                raise TruncatedError(f"ended {count - len(self._buffer)} bytes early")
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def read_to_end(self) -> bytes:
        """Everything until the peer closes."""
        while self.receive():
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def is_closed(self) -> bool:
        """Whether the peer closes now, without another byte."""
        return self.read_to_end() == b""

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing at all, not even the end, arrives for that long."""
        if self._buffer:
            return False
        self.socket.settimeout(seconds)
        try:
            self.receive()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(SECONDS)
        return False

    def response_head(self) -> Response:
        """The next head, interim ones included."""
        status_line, *lines = self.read_until(b"\r\n\r\n").decode("latin-1")[:-4].split("\r\n")
        version, status, reason = status_line.split(" ", 2)
        fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), f"malformed field {line!r}"
            fields.append((name, value.strip(" \t")))
        return Response(version, int(status), reason, fields)

    def response(self, method: str = "GET") -> Response:
        """The next final answer; raises TruncatedError when it isn't whole."""
        response = self.response_head()
        while 100 <= response.status < 200 and response.status != 101:
            response = self.response_head()
        if method != "HEAD" and response.status not in BODYLESS_STATUSES:
            self._read_body(response)
        return response

    def _read_body(self, response: Response) -> None:
        length = response.get("content-length")
        if response.get("transfer-encoding") is not None:
            assert response.get("transfer-encoding") == "chunked" and length is None
            self._read_chunks(response)
        elif length is not None:
            response.body = self.read(int(length))
        else:
            response.body = self.read_to_end()
            if self.reset or (isinstance(self.socket, ssl.SSLSocket) and not self.close_notify):
                raise TruncatedError("no clean end of a close-delimited answer")

    def read_chunk(self) -> bytes:
        """The next chunk's payload, b"" for the last one, whose trailer section is still unread."""
        size = int(self.read_until(b"\r\n"), 16)
        if size == 0:
            return b""
        piece = self.read(size)
        assert self.read(2) == b"\r\n"
        return piece

    def _read_chunks(self, response: Response) -> None:
        while piece := self.read_chunk():
            response.body += piece
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            name, _, value = line[:-2].decode("latin-1").partition(":")
            response.trailers.append((name, value.strip()))


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    """A plain TCP connection to the entry."""
    sock = socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def wrap(
    sock: socket.socket, context: ssl.SSLContext, server_name: str | None, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """TLS over `sock`, which is closed when the handshake fails."""
    try:
        return context.wrap_socket(sock, server_hostname=server_name, suppress_ragged_eofs=False, session=session)
    except BaseException:
        sock.close()
        raise


def chunked(pieces: Iterable[bytes], trailers: Fields = ()) -> bytes:
    """A chunked body, whole."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return chunks + b"0\r\n" + lines.encode() + b"\r\n"
