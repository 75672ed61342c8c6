"""What a fault proxy can do to a request, and which requests are meant: plain data, no I/O."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(slots=True)
class Request:
    """One request that reached the proxy.

    at: time.monotonic(); token: `token_digest` of its bearer token, "" without; status: what was answered, None as long
    as nothing was.
    """

    method: str
    path: str
    query: Mapping[str, str]
    at: float
    token: str
    status: int | None = None

    @property
    def resource(self) -> str:
        """The plural of the kind for requests of a collection: `secrets`."""
        return self.path.rpartition("/")[2]


Selector = Callable[[Request], bool]


def is_watch(request: Request) -> bool:
    return request.query.get("watch", "").lower() in ("1", "true")


def is_list(request: Request) -> bool:
    """A first page or a later one; of what isn't a collection as well, since only the API server knows."""
    return request.method == "GET" and not is_watch(request)


def is_next_page(request: Request) -> bool:
    return is_list(request) and "continue" in request.query


def everything(request: Request) -> bool:
    return True


def both(one: Selector, other: Selector) -> Selector:
    return lambda request: one(request) and other(request)


def of(resource: str) -> Selector:
    """Requests of a collection, such as `secrets`."""
    return lambda request: request.resource == resource


def with_token(token: str) -> Selector:
    """Requests that carry this bearer token."""
    digest = token_digest(token)
    return lambda request: request.token == digest


def token_digest(token: str) -> str:
    """What is kept of a token, enough to tell tokens apart."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Answered by the proxy; the API server doesn't hear of it. With the body of an earlier list: a stale list."""

    body: bytes
    status: int = 200
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Altered:
    """A JSON answer of the API server, changed on its way."""

    change: Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Delayed:
    """Passed on after a while."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Torn:
    """A watch that ends in the middle of an event, after a number of whole ones."""

    after_events: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Silent:
    """Never answered; the connection stays open."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset in place of an answer."""


Fault = Answer | Altered | Delayed | Torn | Silent | Reset


@dataclasses.dataclass(slots=True, eq=False)
class Injection:
    """A fault in waiting for `times` requests, None for every one; `used` counts those that met it."""

    fault: Fault
    selector: Selector
    times: int | None
    used: int = 0

    def takes(self, request: Request) -> bool:
        return (self.times is None or self.used < self.times) and self.selector(request)


_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def failure(status: int, retry_after_seconds: int | None = None, message: str = "injected by a test") -> Answer:
    """The API server's own way to fail: a Status object."""
    fields = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return Answer(json.dumps(status_object(status, message)).encode(), status, fields)


def error_event(status: int = 410, message: str = "too old resource version") -> bytes:
    """The line by which a watch that was already answered with 200 fails."""
    return json.dumps({"type": "ERROR", "object": status_object(status, message)}).encode() + b"\n"


def empty_list() -> Altered:
    """A list of nothing, as a replica gives that lags behind or lost its data."""

    def change(answer: Any) -> Any:
        metadata = {"resourceVersion": answer["metadata"]["resourceVersion"]}
        return {**answer, "metadata": metadata, "items": []}

    return Altered(change)


def status_object(status: int, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": _REASONS[status],
        "code": status,
    }
