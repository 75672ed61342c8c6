"""How every admin port behaves, whatever it shows: GET and HEAD only, careful headers, errors as problem documents."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from entryproxy.console.style import CONTENT_SECURITY_POLICY

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Errors = Mapping[type[Exception], tuple[int, str]]
"""Which exceptions of handlers mean which answer: status and detail, "" for what the exception says."""

CLOSE_SECONDS = 2.0
_ALLOW = "GET, HEAD"
_FORWARDED = "X-Entry-Tenant"
"""The entry sets it on every request to a gateway, and no NetworkPolicy keeps a pod from itself: whoever may say where
a gateway's Service leads could have it lead here."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "entryproxy",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_log = logging.getLogger(__name__)


def make_app(routes: Mapping[str, Handler], errors: Errors | None = None) -> web.Application:
    """routes: what answers which path."""
    app = web.Application(middlewares=[_answering(errors or {})])
    app.on_response_prepare.append(_add_headers)
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    return app


async def listen(app: web.Application, listening: socket.socket) -> web.AppRunner:
    """Serve on a listening socket, which is closed in the end. The runner's `cleanup` ends it: requests being answered
    get CLOSE_SECONDS."""
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS, keepalive_timeout=30.0
    )
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


def _answering(errors: Errors) -> Middleware:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return _problem(405, "This port only answers GET and HEAD.", {"Allow": _ALLOW})
        if _FORWARDED in request.headers:
            return _problem(403, "This port is not for clients of the entry.")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _problem(error.status, f"This port has no {request.path}." if error.status == 404 else error.reason)
        except tuple(errors) as error:
            status, detail = errors[type(error)]
            return _problem(status, detail or str(error))
        except Exception:
            _log.exception("admin request %s failed", request.path)
            return _problem(500, "The request failed inside the console; the log says more.")

    return answer


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as RFC 9457 has it."""
    title = HTTPStatus(status).phrase
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
