"""Long lists in pages that stay right while the list changes: a page ends at a key, and the next begins after it."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

LIMIT_MAX = 100_000


class QueryError(ValueError):
    """A query parameter that means nothing; the message is for the client."""


class Page(NamedTuple, Generic[T]):
    """items: of this page, in the order of their keys. token: what leads to the next page, "" on the last."""

    items: list[T]
    token: str


def limit_of(query: Mapping[str, str], default: int) -> int:
    """The parameter `limit`; 0 for everything. Raises QueryError."""
    text = query.get("limit", "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= LIMIT_MAX):
        raise QueryError(f"limit must be a number from 0 (no limit) to {LIMIT_MAX}")
    return int(text)


def page_of(keyed: Iterable[tuple[str, T]], limit: int, token: str) -> Page[T]:
    """Sort `keyed` by key (never empty) and cut out the page that `token` leads to, "" for the first.

    Raises QueryError.
    """
    ordered = sorted(keyed, key=lambda pair: pair[0])
    start = bisect_right(ordered, _key_of(token), key=lambda pair: pair[0]) if token else 0
    end = start + limit if limit else len(ordered)
    more = end < len(ordered)
    return Page([item for _, item in ordered[start:end]], _token_of(ordered[end - 1][0]) if more else "")


def _token_of(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _key_of(token: str) -> str:
    try:
        return base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise QueryError("continue must be what an earlier page gave") from None
