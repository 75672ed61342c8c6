"""What the bench wants of a proxy: a command to run it in front of the upstream."""

from __future__ import annotations

import abc
import socket
import ssl
import time
from pathlib import Path
from typing import ClassVar

from bench.processes import Child, StartError, free_port
from bench.site import HOST, Site

START_SECONDS = 20.0

_ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ANY_CERTIFICATE.check_hostname = False
_ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


class Contender(abc.ABC):
    """One proxy with TLS in front and keep-alive connections to the upstream behind, pinned to one core.

    Every one sets X-Forwarded-For, -Proto, -Host and -Port, X-Real-IP and X-Request-Id, and writes an access log.
    """

    name: ClassVar[str]

    def __init__(self, site: Site) -> None:
        self.site = site
        self.https_port = free_port()
        self.folder = site.folder / self.name
        self.started_at = 0.0
        self._child: Child | None = None

    @abc.abstractmethod
    def command(self, folder: Path) -> list[str]:
        """Write the configuration into `folder` and return the command line; raises StartError."""

    @property
    def pid(self) -> int:
        """The root of the proxy's process tree."""
        if self._child is None:
            raise StartError(f"{self.name} is not running")
        return self._child.pid

    def start(self, host: str = HOST, seconds: float = START_SECONDS, interval: float = 0.02) -> None:
        """Run it and wait for the first proxied answer to `host`; raises StartError after `seconds`."""
        self.folder.mkdir(exist_ok=True)
        # A proxy that changes its user must still be able to write its log.
        self.folder.chmod(0o777)
        command = self.command(self.folder)
        self.started_at = time.monotonic()  # writing the configuration is not part of a start
        child = self._child = Child(self.name, command, self.site.proxy_core, self.folder / "output.log")
        try:
            child.wait_until(lambda: answers(self.https_port, host), seconds, interval)
        except BaseException:  # an interrupt too must not leave it running
            self.stop()
            raise

    def stop(self) -> None:
        """End it, if it runs."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()

    def drop_logs(self) -> None:
        """Empty the access logs between turns: they live in memory."""
        for log in self.folder.glob("*.log"):
            with log.open("r+b") as file:
                file.truncate(0)


def answers(port: int, host: str = HOST) -> bool:
    """Whether a request over TLS for `host`, named in SNI too, is answered with 200."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2) as plain,
            _ANY_CERTIFICATE.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
