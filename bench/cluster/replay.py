"""An API server that remembers and never writes: lists and watches from memory, and changes by the thousand.

It gives a storm of changes that no API server on two cores can (a real one gives some 500 a second and leaves the load
no CPU). What it sends are the objects of `bench.cluster.objects`; a storm's events are made before the storm.

`python -m bench.cluster.replay PORT TENANTS GATEWAY`; POST /storm?rate=N&seconds=N answers when the storm is over.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop
from aiohttp import web

from bench.cluster import objects
from bench.cluster.traffic import BUSY
from tests.certificates import Authority

_LIST_VERSION = 1_000_000
_TICK_SECONDS = 0.005
_CREATED = "2026-01-01T00:00:00Z"


class Replay:
    """The objects and who watches ConfigMaps."""

    def __init__(self, tenants: int, gateway: str) -> None:
        self._tenants = tenants
        self._changes = 0
        self._watches: set[web.StreamResponse] = set()
        self._lists = {kind: _as_list(items) for kind, items in _by_kind(tenants, gateway).items()}

    def make_app(self) -> web.Application:
        app = web.Application()
        for path in ("/api/v1/namespaces/{namespace}/{kind}", "/apis/discovery.k8s.io/v1/{kind}"):
            app.router.add_get(path, self._get)
        app.router.add_post("/storm", self._storm)
        return app

    async def _get(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        if request.query.get("watch") != "true":
            return web.Response(body=self._lists[kind], content_type="application/json")
        watch = web.StreamResponse(headers={"Content-Type": "application/json"})
        await watch.prepare(request)
        if kind == "configmaps":
            self._watches.add(watch)
        try:
            await asyncio.Event().wait()  # until the client leaves
        finally:
            self._watches.discard(watch)
        return watch

    async def _storm(self, request: web.Request) -> web.Response:
        """MODIFIED events of one tenant after the other, each with another limit than before."""
        rate, seconds = float(request.query["rate"]), float(request.query["seconds"])
        events = [self._next_event() for _ in range(int(rate * seconds))]
        began, sent = time.monotonic(), 0
        while sent < len(events):
            await asyncio.sleep(_TICK_SECONDS)
            due = min(int((time.monotonic() - began) * rate), len(events))
            for watch in self._watches:
                await watch.write(b"".join(events[sent:due]))
            sent = due
        return web.json_response({"sent": sent, "seconds": time.monotonic() - began})

    def _next_event(self) -> bytes:
        self._changes += 1
        number = self._changes % self._tenants
        config = objects.tenant_config(f"t{number}", connections=1 + self._changes)
        _finish(config, _LIST_VERSION + self._changes)
        return json.dumps({"type": "MODIFIED", "object": config}).encode() + b"\n"


def _by_kind(tenants: int, gateway: str) -> dict[str, list[dict[str, Any]]]:
    authority = Authority()
    kinds: dict[str, list[dict[str, Any]]] = {"configmaps": [], "secrets": [], "endpointslices": []}
    for version, one in enumerate(_objects(authority, tenants, gateway), 1):
        _finish(one, version)
        kinds[one["kind"].lower() + "s"].append(one)
    return kinds


def _objects(authority: Authority, tenants: int, gateway: str) -> Iterator[dict[str, Any]]:
    yield from objects.platform(authority)
    yield from objects.tenants(authority, iter([BUSY]), gateway)
    yield from objects.tenants(authority, (f"t{number}" for number in range(tenants)))


def _finish(one: dict[str, Any], version: int) -> None:
    """What an API server adds."""
    name = one["metadata"]["name"]
    one["metadata"].update(creationTimestamp=_CREATED, uid=f"{one['kind']} {name}", resourceVersion=str(version))
    for key, text in one.pop("stringData", {}).items():
        one.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


def _as_list(items: list[dict[str, Any]]) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": str(_LIST_VERSION)}, "items": items}).encode()


def main(port: str, tenants: str, gateway: str) -> None:
    app = Replay(int(tenants), gateway).make_app()
    web.run_app(app, host="127.0.0.1", port=int(port), loop=uvloop.new_event_loop(), print=None, access_log=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
