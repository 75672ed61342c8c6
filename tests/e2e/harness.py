"""The running product: a folder of objects, `entryproxy serve` in a process of its own, and its admin port.

tests/cluster/entry runs it in front of a cluster instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import yaml

from tests.certificates import Authority, Pair
from tests.e2e.admin import AdminPort
from tests.e2e.clients import Client, connect, wrap
from tests.e2e.gateways import wait_until

SYSTEM_DOMAIN = "aigw.example.com"
LABEL = "entryproxy.higress.io/tenant"
NAMESPACE = "higress-system"
_LISTEN = "0A"
_PORT = re.compile(r"\b(https|http|admin)=\S*:(\d+)")


class Source(Protocol):
    """Where an entry's objects are."""

    @property
    def options(self) -> Sequence[str]:
        """What `serve` must be told to find them."""
        ...


class Folder:
    """A file source that tests write to as an operator would: one object a file, replaced in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)

    @property
    def options(self) -> Sequence[str]:
        return ["--source", str(self.path)]

    def settings(self, **settings: Any) -> None:
        """The platform's settings."""
        self.config_map("platform", "system", {"settings.yaml": _dump({"systemDomain": SYSTEM_DOMAIN, **settings})})

    def tenant(self, tenant: str, *, created: str = "2026-01-01T00:00:00Z", **spec: Any) -> None:
        """A tenant; `spec` is its tenant.yaml."""
        self.config_map(tenant, tenant, {"tenant.yaml": _dump(spec)}, created)

    def certificate(self, name: str, owner: str, pair: Pair) -> None:
        """A TLS Secret of a tenant or of `system`."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": _metadata(name, owner),
            "stringData": {"tls.crt": pair.chain_pem, "tls.key": pair.key_pem},
        }
        self.write(f"secret-{name}.yaml", _dump(secret))

    def write(self, file: str, text: str) -> None:
        """A file, whole at once."""
        partial = self.path / f".{file}.partial"
        partial.write_text(text)
        partial.rename(self.path / file)

    def remove_tenant(self, tenant: str) -> None:
        (self.path / f"configmap-{tenant}.yaml").unlink()

    def remove_certificate(self, name: str) -> None:
        (self.path / f"secret-{name}.yaml").unlink()

    def config_map(self, name: str, owner: str, data: Mapping[str, str], created: str = "2026-01-01T00:00:00Z") -> None:
        metadata = {**_metadata(name, owner), "creationTimestamp": created}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        self.write(f"configmap-{name}.yaml", _dump(document))


class Entry(AdminPort):
    """`entryproxy serve` on free ports.

    log: its access log, growing; garbled: lines of it that are not JSON; messages: what it says about itself.
    """

    def __init__(
        self, source: Source, authority: Authority, *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.source = source
        self.authority = authority
        self.log: list[dict[str, Any]] = []
        self.garbled: list[str] = []
        self.messages: list[str] = []
        self.ports: dict[str, int] = {}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "entryproxy", "serve", *source.options, "--bind", "127.0.0.1"),
                *("--https-port", "0", "--http-port", "0", "--admin-port", "0", "--workers", "2", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONWARNINGS": "error", **(environment or {})},
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_log, args=(self._process.stdout,)),
            threading.Thread(target=self._read_messages, args=(self._process.stderr,)),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def folder(self) -> Folder:
        """Its source, where that is a folder."""
        assert isinstance(self.source, Folder)
        return self.source

    # -- life

    def wait_ready(self, seconds: float = 15.0) -> Entry:
        """Return when the first configuration is in force."""
        wait_until(lambda: len(self.ports) == 3 or self.has_ended, "no ports announced", seconds)
        wait_until(lambda: self.has_ended or self.is_ready(), "never ready", seconds)
        assert not self.has_ended, "\n".join(self.messages)
        return self

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """The exit status, once it ends."""
        status = self._process.wait(seconds)
        for reader in self._readers:
            reader.join()
        return status

    def close(self) -> None:
        """End it whatever its state; a child that outlives the supervisor fails the test."""
        children = self.children() if not self.has_ended else []
        if not self.has_ended:
            self.signal(signal.SIGTERM)
        try:
            self.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self.wait()
            raise

    def children(self) -> list[int]:
        """Process ids of the control process and the workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def workers(self) -> list[int]:
        """Process ids of the workers: the children that listen on the https port."""
        https = self.ports["https"]
        listening = _sockets(lambda local, remote, state: local == https and state == _LISTEN)
        return [pid for pid in self.children() if listening & _sockets_of(pid)]

    def worker_of(self, client: Client) -> int:
        """Process id of the worker that serves a client."""
        ports = (self.ports["https"], client.socket.getsockname()[1])
        sockets = _sockets(lambda local, remote, state: (local, remote) == ports)
        return next(pid for pid in self.children() if sockets & _sockets_of(pid))

    # -- clients

    def client(
        self,
        host: str,
        *,
        sni: str | None = "",
        context: ssl.SSLContext | None = None,
        preface: bytes = b"",
        session: ssl.SSLSession | None = None,
    ) -> Client:
        """A TLS connection whose requests name `host`; the SNI is the host too unless given, and None sends none.

        preface: bytes sent before the handshake, for the PROXY protocol.
        """
        context = context or self.authority.context()
        if sni is None:
            context.check_hostname = False
        sock = connect(self.ports["https"])
        sock.sendall(preface)
        return Client(wrap(sock, context, host if sni == "" else sni, session), host)

    def plain_client(self, host: str) -> Client:
        """A connection to the plain port."""
        return Client(connect(self.ports["http"]), host)

    @property
    def admin_port(self) -> int:
        return self.ports["admin"]

    def logged(self, path: str) -> dict[str, Any]:
        """The access log's line for a path."""
        wait_until(lambda: any(line["path"] == path for line in self.log), f"{path} was never logged")
        (line,) = [line for line in self.log if line["path"] == path]
        return line

    # -- what it prints

    def _read_log(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.garbled.append(line)

    def _read_messages(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.messages.append(line.rstrip())
                if len(self.ports) < 3:
                    self.ports.update((name, int(port)) for name, port in _PORT.findall(line))


@contextlib.contextmanager
def running(
    source: Source, authority: Authority, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Entry]:
    """An entry for one test, ready; ended afterwards."""
    entry = Entry(source, authority, *options, environment=environment)
    try:
        yield entry.wait_ready()
    finally:
        entry.close()


def peak_memory_bytes(pid: int) -> int:
    """The most resident memory that a process has had."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) * 1024


def _sockets(wanted: Callable[[int, int, str], bool]) -> set[str]:
    """The TCP sockets whose (local port, remote port, state) are wanted, named as `/proc/*/fd` names them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if wanted(_port(row[1]), _port(row[2]), row[3])}


def _port(address: str) -> int:
    return int(address.partition(":")[2], 16)


def _sockets_of(pid: int) -> set[str]:
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            sockets.add(str(link.readlink()))
    return sockets


def _metadata(name: str, owner: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "labels": {LABEL: owner}}


def _dump(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False)
