"""The aiohttp session for one API server, and what its exceptions mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from entryproxy import __version__
from entryproxy.kubernetes.credentials import Endpoint
from entryproxy.kubernetes.errors import ApiError

CONNECT_TIMEOUT_SECONDS = 5.0
CONNECTIONS_MAX = 16


def open_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """Connections to the endpoint, opened when they are needed.

    The environment's proxies are not trusted: a kubeconfig says when there is one. Nor is anything compressed: that
    costs an API server more than it spares anybody in the same cluster.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=endpoint.tls if endpoint.tls is not None else True,
            limit=CONNECTIONS_MAX,
            resolver=aiohttp.ThreadedResolver(),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"entryproxy/{__version__}",
        },
        trust_env=False,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raises what aiohttp raises as an ApiError without a status."""
    try:
        yield
    except (aiohttp.ClientError, OSError, ValueError) as problem:  # a TimeoutError is an OSError
        raise ApiError(0, "Unreachable", _why(problem)) from None


def _why(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "The API server did not answer in time"
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return f"The API server's certificate is not trusted: {problem.certificate_error}"
    if isinstance(problem, aiohttp.ClientConnectorError):
        return f"Can't connect to {problem.host}:{problem.port}: {problem.os_error.strerror or problem.os_error}"
    if isinstance(problem, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError)):
        return "The API server cut the connection"
    return f"The API server can't be understood ({type(problem).__name__})"
