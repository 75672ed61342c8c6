"""The listening sockets of a pod, opened once by the supervisor and held by it.

Each worker has its own socket per port (SO_REUSEPORT), so the kernel spreads connections; because the supervisor keeps
a copy, connections queued at a worker that crashed wait for the next one instead of being reset.
"""

from __future__ import annotations

import dataclasses
import socket

from entryproxy.listening import listen_on
from entryproxy.settings import ServeSettings


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
    return listen_on(settings.admin_bind, settings.admin_port)


def _open_group(bind: str, port: int, count: int) -> list[socket.socket]:
    # SO_REUSEPORT would let a second instance join the port in silence and take half of the connections, so the port
    # is first bound without it.
    if port != 0:
        listen_on(bind, port).close()
    group: list[socket.socket] = []
    try:
        for _ in range(count):
            group.append(listen_on(bind, port, reuse_port=True))
            port = group[0].getsockname()[1]
    except OSError:
        for sock in group:
            sock.close()
        raise
    return group
