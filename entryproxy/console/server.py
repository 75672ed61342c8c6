"""The admin port: routes, security headers, errors. Everything is GET or HEAD, and nothing depends on the Host."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from entryproxy.console import api, page, state
from entryproxy.console.paging import QueryError
from entryproxy.console.view import ControlView
from entryproxy.telemetry import exposition

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REPORTS_SECONDS = 5.0
CLOSE_SECONDS = 2.0
_ALLOW = "GET, HEAD"
_FORWARDED = "X-Entry-Tenant"
"""The entry sets it on every request to a gateway, and no NetworkPolicy keeps a pod from itself: whoever may say where
a gateway's Service leads could have it lead here."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": page.CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "entryproxy",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_log = logging.getLogger(__name__)


class SilentWorkersError(Exception):
    """The workers' reports took too long."""


class Console:
    """The admin port of one pod.

    clock: Unix time. reports_seconds: how long the workers' reports may take before the answer is 503.
    """

    def __init__(
        self, view: ControlView, *, clock: Callable[[], float] = time.time, reports_seconds: float = REPORTS_SECONDS
    ) -> None:
        self._view = view
        self._clock = clock
        self._reports_seconds = reports_seconds
        # One thread: scrapes that pile up wait for each other instead of taking the control process's time together.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="console")
        self._runner: web.AppRunner | None = None

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[_answer_errors])
        app.on_response_prepare.append(_add_headers)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/", self._page)
        for path, document in api.DOCUMENTS.items():
            app.router.add_get(path, self._document_handler(document))
        return app

    async def start(self, listening: socket.socket) -> None:
        """Serve on a listening socket, which is closed in the end."""
        self._runner = web.AppRunner(
            self.app(), access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS, keepalive_timeout=30.0
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def close(self) -> None:
        """Stop serving; requests being answered get CLOSE_SECONDS."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- probes

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        ready, reason = state.readiness_of(self._view)
        remark = state.staleness_of(self._view)
        text = f"{'ready' if ready else f'not ready: {reason}'}\n{remark}"
        return web.Response(status=200 if ready else 503, text=text)

    # -- everything that needs the workers' reports

    async def _metrics(self, request: web.Request) -> web.Response:
        scrape = (await self._state()).as_scrape()
        response = web.Response(
            body=await self._in_thread(exposition.render, scrape), headers={"Content-Type": exposition.CONTENT_TYPE}
        )
        response.enable_compression()
        return response

    async def _page(self, request: web.Request) -> web.Response:
        text = await self._in_thread(page.render, await self._state(), dict(request.query))
        return web.Response(text=text, content_type="text/html")

    def _document_handler(self, document: Callable[[state.PodState, Mapping[str, str]], Any]) -> Handler:
        def encoded(pod: state.PodState, query: Mapping[str, str]) -> bytes:
            return msgspec.json.encode(document(pod, query)) + b"\n"

        async def handle(request: web.Request) -> web.Response:
            body = await self._in_thread(encoded, await self._state(), dict(request.query))
            response = web.Response(body=body, content_type="application/json")
            response.enable_compression()
            return response

        return handle

    async def _state(self) -> state.PodState:
        try:
            async with asyncio.timeout(self._reports_seconds):
                return await state.take(self._view, self._clock())
        except TimeoutError:
            raise SilentWorkersError from None

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method not in ("GET", "HEAD"):
        return _problem(405, "This port only answers GET and HEAD.", {"Allow": _ALLOW})
    if _FORWARDED in request.headers:
        return _problem(403, "This port is not for clients of the entry.")
    try:
        return await handler(request)
    except QueryError as error:
        return _problem(400, str(error))
    except api.NotConfiguredError:
        return _problem(503, "No configuration is in force yet.")
    except SilentWorkersError:
        return _problem(503, "The workers did not report in time.")
    except web.HTTPException as error:
        return _problem(error.status, f"This port has no {request.path}." if error.status == 404 else error.reason)
    except Exception:
        _log.exception("admin request %s failed", request.path)
        return _problem(500, "The request failed inside the console; the log says more.")


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as RFC 9457 has it."""
    title = HTTPStatus(status).phrase
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
