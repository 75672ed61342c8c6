"""A pod whose workers answer questions instead of HTTP, and whose source is a list of tenant ids in a file; an id with
"!" behind it is a tenant whose ConfigMap is broken.

`python -m tests.process.fake_pod FILE WORKERS [DRAIN_DELAY DRAIN_TIMEOUT HTTPS_PORT]`. A client sends lines: "pid" is
answered with the worker's pid, anything else with the tenants in force. Restarts come quickly.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path

from entryproxy.compiler.compile import Compiler
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import LabelledConfigMap, LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import Tenant
from entryproxy.process import children, pod
from entryproxy.process.worker import WorkerContext
from entryproxy.routing.table import RoutingTable
from entryproxy.settings import ServeSettings
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport


class FakeServer:
    def __init__(self, context: WorkerContext, report: WorkerReport, access_log: AccessLog) -> None:
        self.table: RoutingTable | None = None
        self._report = report
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.StreamWriter] = set()

    def applying(self, change: Change, tenants: Iterable[Tenant]) -> Iterator[None]:
        coming = list(tenants)
        yield
        if any(tenant.id == "poison" for tenant in coming):
            raise ValueError("poison")
        self.table = self.table or RoutingTable()
        self.table.follow(change, coming)

    async def start(self, https: socket.socket, http: socket.socket) -> None:
        self._servers = [await asyncio.start_server(self._answer, sock=sock) for sock in (https, http)]

    def settle_accounts(self) -> None:
        pass

    async def drain(self, delay_seconds: float, timeout_seconds: float) -> None:
        await asyncio.sleep(delay_seconds)
        for server in self._servers:
            server.close()
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._open:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            for writer in self._open:
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._report.client_connections += 1
        try:
            while line := await reader.readline():
                self._report.handshake("ok")
                writer.write(f"{self._answer_to(line.decode().strip())}\n".encode())
        except OSError:
            pass
        finally:
            self._report.client_connections -= 1
            self._open.discard(writer)
            writer.close()

    def _answer_to(self, question: str) -> object:
        if question == "pid":
            return os.getpid()
        return " ".join(sorted(self.table.tenants)) if self.table else "none"


class FakeSource:
    def __init__(self, settings: ServeSettings) -> None:
        self._file = Path(settings.source)
        self._reload = asyncio.Event()
        self._known: dict[str, LabelledObject] = {}

    def resume(self, running: Snapshot) -> None:
        pass

    def preview(self, show: Callable[[Sequence[LabelledObject]], None]) -> None:
        pass

    def load(self) -> Reading:
        ids = self._file.read_text().split()
        settings = _config_map("settings", "system", {"settings.yaml": "systemDomain: aigw.example.com"})
        before, self._known = self._known, {one.reference: one for one in (settings, *map(_tenant, ids))}
        return Reading.between(before, self._known)

    async def watch(self) -> AsyncIterator[float]:
        while True:
            yield time.monotonic()
            await self._reload.wait()
            self._reload.clear()

    def request_reload(self) -> None:
        self._reload.set()


def _tenant(written: str) -> LabelledConfigMap:
    tenant = written.removesuffix("!")
    return _config_map(tenant, tenant, {} if written == tenant else {"tenant.yaml": "broken: true"})


def _config_map(name: str, tenant: str, data: dict[str, str]) -> LabelledConfigMap:
    return LabelledConfigMap(
        namespace="higress-system", name=name, tenant=tenant, created="2026-01-01T00:00:00Z", data=data
    )


def main(source: str, workers: str, drain_delay: str = "0", drain_timeout: str = "5", https_port: str = "0") -> int:
    children.RESTART_SECONDS = children.RESTART_SECONDS_MAX = 0.02
    settings = ServeSettings(
        source=source,
        bind="127.0.0.1",
        admin_bind="127.0.0.1",
        https_port=int(https_port),
        http_port=0,
        admin_port=0,
        workers=int(workers),
        drain_delay_seconds=float(drain_delay),
        drain_timeout_seconds=float(drain_timeout),
    )
    return pod.run(settings, FakeServer, FakeSource, lambda _: Compiler(parse_yaml))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
