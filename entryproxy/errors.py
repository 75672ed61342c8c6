"""One error type for everything that can go wrong with a request.

An error says whose fault it is, which status answers it, and a short machine-readable reason that metrics and the
access log carry. Statuses are decided where the fault is found; nothing else in the package maps exceptions to
statuses.
"""

from __future__ import annotations

import enum


class Source(enum.Enum):
    """Who caused the error."""

    CLIENT = "client"
    ENTRY = "entry"
    GATEWAY = "gateway"


class EntryError(Exception):
    """A request, or a whole connection, that cannot go on.

    status: what the client is told, as a three-digit HTTP status code.
    reason: snake_case word for logs and metrics, from a small closed set (never from the peer's bytes).
    detail: one sentence for people, safe to show to the client.
    close: the framing of the client's connection can no longer be trusted, so it ends after the answer.
    retryable: no byte of the request can have had an effect; another gateway connection may try.
    headers: extra fields of the answer, for example Allow or Retry-After.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        source: Source = Source.CLIENT,
        close: bool = False,
        retryable: bool = False,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.source = source
        self.close = close
        self.retryable = retryable
        self.headers = headers

    def __repr__(self) -> str:
        return f"<EntryError {self.status} {self.reason} from {self.source.value}: {self.detail}>"
