"""The listening sockets of a pod, opened once by the supervisor and held by it.

Each worker has its own socket per port (SO_REUSEPORT), so the kernel spreads connections; because the supervisor keeps
a copy, connections queued at a worker that crashed wait for the next one instead of being reset.
"""

from __future__ import annotations

import dataclasses
import errno
import socket

from entryproxy.settings import ServeSettings

LISTEN_BACKLOG = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerSockets:
    """What one worker accepts on."""

    https: socket.socket
    http: socket.socket

    def close(self) -> None:
        self.https.close()
        self.http.close()


def open_worker_sockets(settings: ServeSettings) -> list[WorkerSockets]:
    """One pair per worker; a port of 0 is chosen by the kernel and the same for all. OSError when a port is taken."""
    https = _open_group(settings.bind, settings.https_port, settings.workers)
    try:
        http = _open_group(settings.bind, settings.http_port, settings.workers)
    except OSError:
        for sock in https:
            sock.close()
        raise
    return [WorkerSockets(*pair) for pair in zip(https, http, strict=True)]


def open_admin_socket(settings: ServeSettings) -> socket.socket:
    """The control process's socket."""
    return _listen(settings.admin_bind, settings.admin_port, reuse_port=False)


def address_of(sock: socket.socket) -> str:
    """Where a socket listens, as "host:port" or "[host]:port"."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _open_group(bind: str, port: int, count: int) -> list[socket.socket]:
    # SO_REUSEPORT would let a second instance join the port in silence and take half of the connections, so the port
    # is first bound without it.
    if port != 0:
        _listen(bind, port, reuse_port=False).close()
    group: list[socket.socket] = []
    try:
        for _ in range(count):
            group.append(_listen(bind, port, reuse_port=True))
            port = group[0].getsockname()[1]
    except OSError:
        for sock in group:
            sock.close()
        raise
    return group


def _listen(bind: str, port: int, *, reuse_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and bind == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((bind, port))
        sock.listen(LISTEN_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        text = errno.errorcode.get(error.errno or 0, "")
        raise OSError(error.errno, f"{bind} port {port}: {error.strerror} ({text})") from error
    return sock
