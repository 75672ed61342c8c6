"""HTTP to the API server: raw bytes in, raw bytes out, every wait and size bounded.

No generated model stands between: a list of ten thousand Secrets is decoded once, by whoever knows which fields count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from entryproxy.kubernetes.credentials import Credentials, load_credentials
from entryproxy.kubernetes.errors import UNAUTHORIZED, ApiError, CredentialsError, read_status
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.session import CONNECT_TIMEOUT_SECONDS, open_session, translated

__all__ = ["ApiError", "ClusterClient", "CredentialsError", "connect"]

REQUEST_TIMEOUT_SECONDS = 30.0
SILENCE_SECONDS = 70.0
"""A watch without a byte for so long may be dead: where there is anything to say, bookmarks come about every minute."""
PAGE_ITEMS = 500
PAGE_BYTES_MAX = 8_388_608
"""A page of `list` with more is asked for again with fewer objects: whoever may write one of 1.5 MiB may write 500."""
BODY_BYTES_MAX = 268_435_456
WATCH_LINE_BYTES_MAX = 8_388_608
"""etcd takes 1.5 MiB an object; managed fields and JSON's escapes come on top."""
ERROR_BYTES_MAX = 65_536
_SHRINK = 4

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_NO_QUERY: Mapping[str, str] = {}

_log = logging.getLogger(__name__)


class _ListMeta(msgspec.Struct):
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)


class _Request(msgspec.Struct, frozen=True):
    """What to ask of the API server. kind, accept: Content-Type and Accept, "" for none."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None
    kind: str = ""
    accept: str = ""

    def url(self, server: str) -> URL:
        return URL(f"{server}{self.path}" + (f"?{urlencode(self.query)}" if self.query else ""), encoded=True)

    def headers(self, token: str) -> dict[str, str]:
        fields = {"Authorization": token, "Content-Type": self.kind, "Accept": self.accept}
        return {name: value for name, value in fields.items() if value}


_decode_page = any_depth(msgspec.json.Decoder(_Page).decode)


async def connect(kubeconfig: str = "", context: str = "") -> ClusterClient:
    """A client for the pod's own cluster when this is a pod and no kubeconfig is given, else for the kubeconfig's.

    kubeconfig: a file, "" for $KUBECONFIG or ~/.kube/config. context: "" for the current one. Doesn't dial yet. Raises
    CredentialsError.
    """
    return ClusterClient(await load_credentials(kubeconfig, context), kubeconfig, context)


class ClusterClient:
    """An async context manager; closing it ends its watches. namespace: the credentials' default one, "" if none.

    Every method raises ApiError. `path` is absolute ("/api/v1/namespaces/ns/secrets"). A token that turned invalid is
    read again at once, and so are certificates.
    """

    def __init__(self, credentials: Credentials, kubeconfig: str = "", context: str = "") -> None:
        """kubeconfig, context: where to read credentials again, as in `connect`."""
        self.namespace = credentials.namespace
        self._credentials = credentials
        self._kubeconfig = kubeconfig
        self._context = context
        self._session = open_session(credentials.endpoint)

    @property
    def server(self) -> str:
        """URL of the API server, for messages."""
        return self._credentials.endpoint.server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str] = _NO_QUERY, bytes_max: int | None = None) -> bytes:
        """The body, raw JSON. With more than `bytes_max`, BODY_BYTES_MAX if None, an ApiError of reason "TooLarge"."""
        return await self._request(_Request("GET", path, query), bytes_max)

    async def list(
        self, path: str, query: Mapping[str, str] = _NO_QUERY, *, metadata_only: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """One raw page after another. An ApiError that `is_gone` between two of them means: begin again.

        query: with a "limit", that many objects a page. metadata_only: a PartialObjectMetadataList, for objects whose
        contents are large or none of our business.
        """
        limit_max = limit = int(query.get("limit", PAGE_ITEMS))
        token = ""
        while True:
            page = {**query, "limit": str(limit), **({"continue": token} if token else {})}
            request = _Request("GET", path, page, accept=_METADATA_LIST if metadata_only else "")
            try:
                body = await self._request(request, PAGE_BYTES_MAX)
            except ApiError as error:
                if error.reason != "TooLarge" or limit == 1:
                    raise
                limit = max(1, limit // _SHRINK)
                continue
            yield body
            try:
                token = _decode_page(body).metadata.continue_
            except msgspec.DecodeError:
                raise ApiError(0, "Malformed", "The API server's list is no list") from None
            if not token:
                return
            limit = min(limit_max, 2 * limit)

    async def apply(self, path: str, body: bytes, field_manager: str, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """Server-side apply of one JSON object to its own `path`; the object as it was stored.

        409 when another manager has one of its fields.
        """
        return await self._request(_Request("PATCH", path, {"fieldManager": field_manager, **query}, body, _APPLY))

    async def create(self, path: str, body: bytes, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """A new object in the collection `path`, as it was stored. 409 when there is one of its name."""
        return await self._request(_Request("POST", path, query, body, _JSON))

    async def replace(self, path: str, body: bytes, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """The object `path` by another, as it was stored. 409 unless `body` has the version that is there."""
        return await self._request(_Request("PUT", path, query, body, _JSON))

    async def delete(self, path: str, query: Mapping[str, str] = _NO_QUERY, body: bytes | None = None) -> bytes:
        """Delete the object `path`; what the server answers, a Status or the object that is going.

        body: DeleteOptions; preconditions can be told nowhere else, 409 when they don't hold.
        """
        return await self._request(_Request("DELETE", path, query, body, _JSON if body else ""))

    @asynccontextmanager
    async def watch(
        self, path: str, query: Mapping[str, str] = _NO_QUERY, silence_seconds: float = SILENCE_SECONDS
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """A watch that the server has accepted: an iterator of raw event lines, without their newline.

        It ends when the server ends the watch; ApiError when the connection is cut, or has been silent for too long
        (reason "Silent"). A line that was torn by the cut is not given.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=silence_seconds)
        with translated():
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                response = await self._send(_Request("GET", path, {**query, "watch": "true"}), timeout)
        try:
            yield _lines(response)
        finally:
            _cut(response)

    async def _request(self, request: _Request, bytes_max: int | None = None) -> bytes:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS)
        with translated():
            response = await self._send(request, timeout)
            try:
                return await _read(response, bytes_max or BODY_BYTES_MAX)
            finally:
                _cut(response)

    async def _send(
        self,
        request: _Request,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own, of several parts
    ) -> aiohttp.ClientResponse:
        """A response that says yes; raises ApiError, or what aiohttp raises. Tries twice with renewed credentials."""
        is_last = False
        while True:
            credentials = self._credentials
            token = await credentials.authorization()
            try:
                response = await self._dial(request, token, timeout)
            except aiohttp.ClientSSLError:
                if is_last or not await self._renew(credentials, token):
                    raise
            else:
                if response.status < 300:
                    return response
                async with response:
                    refused = await _read_error(response)
                if response.status != UNAUTHORIZED or is_last or not await self._renew(credentials, token):
                    raise refused
            is_last = True

    async def _dial(
        self,
        request: _Request,
        token: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> aiohttp.ClientResponse:
        endpoint = self._credentials.endpoint
        return await self._session.request(
            request.method,
            request.url(endpoint.server),
            data=request.body,
            headers=request.headers(token),
            timeout=timeout,
            allow_redirects=False,  # a token goes nowhere but where the credentials say
            proxy=endpoint.proxy or None,
            server_hostname=endpoint.server_name or None,
        )

    async def _renew(self, credentials: Credentials, token: str) -> bool:
        """Read the credentials again after these were refused; whether there are others now."""
        if self._credentials is credentials:
            try:
                renewed = await load_credentials(self._kubeconfig, self._context)
            except CredentialsError as problem:
                _log.warning("can't read the credentials for the API server again: %s", problem)
                return False
            if self._credentials is credentials:
                await self._adopt(renewed)
        is_same_place = self._credentials.endpoint.identity == credentials.endpoint.identity
        return not is_same_place or await self._credentials.authorization() != token

    async def _adopt(self, renewed: Credentials) -> None:
        old, self._credentials = self._credentials, renewed
        if renewed.endpoint.identity != old.endpoint.identity:
            session, self._session = self._session, open_session(renewed.endpoint)
            await session.close()


def _cut(response: aiohttp.ClientResponse) -> None:
    """End a response; its connection too unless all of it was read. Without TLS's goodbye, whose answer nobody would
    wait for: at the end of the process the loop can't be closed before it is there."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > bytes_max:
            raise ApiError(0, "TooLarge", f"The API server's answer is larger than {bytes_max} bytes")
        parts.append(part)
    return b"".join(parts)


async def _read_error(response: aiohttp.ClientResponse) -> ApiError:
    body = await response.content.read(ERROR_BYTES_MAX)
    return read_status(body, response.status, response.headers.get("Retry-After", ""))


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    parts: list[bytes] = []  # of a line that has not ended yet
    size = 0
    with translated():
        while chunk := await _read_some(response):
            first, *others = chunk.split(b"\n")
            parts.append(first)
            size += len(first)
            for line in others:
                whole = b"".join(parts)
                if whole:
                    yield whole
                parts, size = [line], len(line)
            if size > WATCH_LINE_BYTES_MAX:
                raise ApiError(0, "TooLarge", f"An event is larger than {WATCH_LINE_BYTES_MAX} bytes")


async def _read_some(response: aiohttp.ClientResponse) -> bytes:
    """b"" at the end."""
    try:
        return await response.content.readany()
    except TimeoutError:
        raise ApiError(0, "Silent", "The watch fell silent") from None
