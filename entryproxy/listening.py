"""TCP sockets that listen."""

from __future__ import annotations

import errno
import socket

LISTEN_BACKLOG = 4096


def listen_on(bind: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A listening socket. bind: an IP address; port: 0 for any free one. Raises OSError that names both."""
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


def address_of(sock: socket.socket) -> str:
    """Where a socket listens, as "host:port" or "[host]:port"."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
