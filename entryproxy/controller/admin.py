"""The controller's admin port: health, readiness and metrics. Standing by is being ready: somebody else leads."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from entryproxy.console.admin import make_app
from entryproxy.telemetry.exposition import CONTENT_TYPE
from entryproxy.telemetry.releases import ControllerReport, render_releases


def admin_app(report: Callable[[], ControllerReport], trouble: Callable[[], str]) -> web.Application:
    """report: as of now. trouble: why this controller couldn't do its work, "" if it could."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if why := trouble():
            return web.Response(status=503, text=f"not ready: {why}\n")
        return web.Response(text=f"ready, {'leading' if report().is_leader else 'standing by'}\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=render_releases(report()), headers={"Content-Type": CONTENT_TYPE})

    return make_app({"/healthz": healthz, "/readyz": readyz, "/metrics": metrics})
