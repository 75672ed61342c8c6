"""An API server in this process: lists in pages, watches from a version, and misbehaves when it is told to.

Only what a reflector sees of the real one (which tests/cluster starts), with faults between any two bytes.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from entryproxy.model.objects import TENANT_LABEL

Manifest = dict[str, Any]
Answer = Callable[[web.Request], web.Response]


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> Manifest:
    return {"metadata": {"name": name, "labels": {TENANT_LABEL: name}, **metadata}, "data": data or {}}


def secret(name: str, certificate: str = "crt", **metadata: Any) -> Manifest:
    data = {"tls.crt": base64.b64encode(certificate.encode()).decode(), "tls.key": base64.b64encode(b"key").decode()}
    return {
        "metadata": {"name": name, "labels": {TENANT_LABEL: name}, **metadata},
        "type": "kubernetes.io/tls",
        "data": data,
    }


def status(code: int, reason: str, message: str = "no", retry_after: str = "") -> Answer:
    """An answer that refuses."""

    def answer(_: web.Request) -> web.Response:
        document = {"kind": "Status", "code": code, "reason": reason, "message": message}
        headers = {"Retry-After": retry_after} if retry_after else {}
        return web.json_response(document, status=code, headers=headers)

    return answer


class Watch:
    """One that is open."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self.path = request.path
        self.ended = asyncio.Event()
        self._request = request
        self._response = response

    async def write(self, line: bytes) -> None:
        await self._response.write(line)

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


class FakeApi:
    """An async context manager. requests: (path, query) of all, in order. token: who is let in, "" for everybody."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.agents: set[str] = set()
        self.token = ""
        self.watches: list[Watch] = []
        self.history_from = 0
        self.now = 100
        self._tls = tls
        self._objects: dict[str, dict[str, Manifest]] = {}
        self._history: list[tuple[str, int, bytes]] = []
        self._snapshots: dict[str, list[Manifest]] = {}
        self._faults: list[tuple[Callable[[web.Request], bool], Answer]] = []
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, folder: Path, user: Manifest | None = None, cluster: Manifest | None = None) -> str:
        document = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "here"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url, **(cluster or {})}}],
            "users": [{"name": "u", "user": user or {}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))
        return str(path)

    # -- what there is

    async def put(self, path: str, manifest: Manifest) -> None:
        """Create or replace an object of the collection, and tell those who watch."""
        objects = self._objects.setdefault(path, {})
        manifest, name = copy.deepcopy(manifest), manifest["metadata"]["name"]
        self.now += 1
        manifest["metadata"] = {
            "namespace": "ns",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-01-31T12:00:00Z",
            **manifest["metadata"],
            "resourceVersion": str(self.now),
        }
        await self._record("MODIFIED" if name in objects else "ADDED", path, manifest)
        objects[name] = manifest

    async def delete(self, path: str, name: str) -> None:
        manifest = self._objects[path].pop(name)
        self.now += 1
        manifest["metadata"]["resourceVersion"] = str(self.now)
        await self._record("DELETED", path, manifest)

    async def bookmark(self, path: str) -> None:
        """As the real one sends about every minute, though other collections changed meanwhile."""
        self.now += 1
        await self._record("BOOKMARK", path, {"metadata": {"resourceVersion": str(self.now)}})

    async def _record(self, kind: str, path: str, manifest: Manifest) -> None:
        line = json.dumps({"type": kind, "object": manifest}).encode() + b"\n"
        async with self._changed:
            self._history.append((path, self.now, line))
            self._changed.notify_all()

    # -- faults

    def fail(self, answer: Answer, times: int = 1, when: Callable[[web.Request], bool] = lambda _: True) -> None:
        """The next `times` requests that are meant get this answer."""
        self._faults += [(when, answer)] * times

    def expire(self) -> None:
        """Forget history and pages: what refers to them is answered with 410."""
        self.now += 1
        self.history_from = self.now
        self._snapshots.clear()

    def heal(self) -> None:
        self._faults.clear()

    async def say(self, line: bytes) -> None:
        """Write into all open watches."""
        for watch in list(self.watches):
            await watch.write(line)

    def cut(self) -> None:
        """Reset all open watches."""
        for watch in list(self.watches):
            watch.cut()

    def end(self) -> None:
        """End all open watches in order."""
        for watch in self.watches:
            watch.ended.set()

    def lists(self, path: str) -> list[dict[str, str]]:
        return [query for where, query in self.requests if where == path and "watch" not in query]

    def watched(self, path: str) -> list[dict[str, str]]:
        return [query for where, query in self.requests if where == path and "watch" in query]

    # -- requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.requests.append((request.path, query))
        self.agents.add(request.headers.get("User-Agent", ""))
        for fault in self._faults:
            if fault[0](request):
                self._faults.remove(fault)
                return fault[1](request)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")(request)
        if request.method != "GET":
            body = {
                "method": request.method,
                "query": query,
                "kind": request.content_type,
                "body": await request.text(),
            }
            return web.json_response(body)
        return await self._watch(request) if "watch" in query else self._list(request)

    def _list(self, request: web.Request) -> web.Response:
        if token := request.query.get("continue"):
            version, _, start = token.partition(":")
            if version not in self._snapshots:
                return status(410, "Expired", "The provided continue parameter is too old")(request)
        else:
            version, start = f"{self.now}", "0"
            self._snapshots[version] = list(self._objects.get(request.path, {}).values())
        items = self._snapshots[version]
        end = int(start) + int(request.query.get("limit", len(items)))
        metadata = {"resourceVersion": version, **({"continue": f"{version}:{end}"} if end < len(items) else {})}
        return web.json_response({"kind": "List", "metadata": metadata, "items": items[int(start) : end]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        version = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        if version < self.history_from:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            return response
        watch = Watch(request, response)
        self.watches.append(watch)
        feeding = asyncio.get_running_loop().create_task(self._feed(watch, version))
        try:
            await watch.ended.wait()
        finally:
            self.watches.remove(watch)
            feeding.cancel()
        return response

    async def _feed(self, watch: Watch, version: int) -> None:
        read = 0
        while True:
            for path, when, line in self._history[read:]:
                read += 1
                if path == watch.path and when > version:
                    await watch.write(line)
            async with self._changed:
                await self._changed.wait_for(lambda: len(self._history) > read)  # noqa: B023
