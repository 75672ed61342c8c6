"""The aiohttp contender's program: every request becomes a request of a shared client session, bodies are streamed."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import ssl
import uuid

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade")
_ACCESS_LOG_FORMAT = '%a %t "%r" %s %b %D "%{Host}i" "%{User-Agent}i"'
_LOG_BUFFER_LINES = 256

_session: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)


class PlainProxy:
    """Forwards to one upstream."""

    def __init__(self, upstream: str) -> None:
        self._upstream = URL(upstream)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """One request there, its answer back."""
        session = request.app[_session]
        url = self._upstream.join(request.rel_url)
        body = request.content if request.can_read_body else None
        async with session.request(
            request.method, url, headers=_forwarded(request), data=body, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.title() not in _HOP_BY_HOP:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response


def _forwarded(request: web.Request) -> CIMultiDict[str]:
    headers = CIMultiDict(request.headers)
    for name in _HOP_BY_HOP:
        headers.popall(name, None)
    remote = request.remote or ""
    headers["X-Forwarded-For"] = remote
    headers["X-Forwarded-Proto"] = "https"
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Port"] = "443"
    headers["X-Real-IP"] = remote
    headers["X-Request-Id"] = uuid.uuid4().hex
    return headers


def _log_to(path: str) -> None:
    buffered = logging.handlers.MemoryHandler(_LOG_BUFFER_LINES, target=logging.FileHandler(path))
    logger = logging.getLogger("aiohttp.access")
    logger.setLevel(logging.INFO)
    logger.addHandler(buffered)


async def _application(proxy: PlainProxy) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", proxy.forward)
    timeout = aiohttp.ClientTimeout(total=None, connect=2, sock_read=300)
    application[_session] = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout, auto_decompress=False
    )

    async def close(application: web.Application) -> None:
        await application[_session].close()

    application.on_cleanup.append(close)
    return application


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    for option in ("--port", "--upstream", "--certificate", "--key", "--access-log"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    _log_to(options.access_log)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    web.run_app(
        _application(PlainProxy(options.upstream)),
        host="127.0.0.1",
        port=int(options.port),
        ssl_context=context,
        access_log_format=_ACCESS_LOG_FORMAT,
        keepalive_timeout=300,
        backlog=4096,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
