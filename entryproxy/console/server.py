"""The admin port of `serve`: its routes. Nothing depends on the Host."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from entryproxy.console import api, page, state
from entryproxy.console.admin import Errors, Handler, listen, make_app
from entryproxy.console.paging import QueryError
from entryproxy.console.view import ControlView

T = TypeVar("T")

REPORTS_SECONDS = 5.0


class SilentWorkersError(Exception):
    """The workers' reports took too long."""


_ERRORS: Errors = {
    QueryError: (400, ""),
    api.NotConfiguredError: (503, "No configuration is in force yet."),
    SilentWorkersError: (503, "The workers did not report in time."),
}


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
        documents = {path: self._document_handler(document) for path, document in api.DOCUMENTS.items()}
        probes: dict[str, Handler] = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}
        return make_app({**probes, "/": self._page, **documents}, _ERRORS)

    async def start(self, listening: socket.socket) -> None:
        """Serve on a listening socket, which is closed in the end."""
        self._runner = await listen(self.app(), listening)

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
        from entryproxy.telemetry import exposition  # its library is not for the time until the entry is ready

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
