"""A whole collection, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from entryproxy.config.kubernetes.decode import Decoded, decode_page
from entryproxy.config.kubernetes.resources import Resource
from entryproxy.kubernetes.client import PAGE_ITEMS, ClusterClient
from entryproxy.kubernetes.errors import ApiError

PAGES_MAX = 2_000
PAGE_BYTES_MAX = 33_554_432
"""A page with more is asked for again with fewer objects. One object has at most some 3 MiB."""
_SHRINK = 4


OnPage = Callable[[Sequence[Decoded]], None]


async def list_all(
    client: ClusterClient, resource: Resource, *, is_paged: bool = True, on_page: OnPage | None = None
) -> tuple[list[Decoded], str]:
    """Every object, and the version from where to watch. Raises ApiError; one that `is_gone` means: begin again.

    is_paged: False to get everything at once, for a server whose pages expire faster than they can be read. on_page:
    hears of each page while the server makes the next one.
    """
    items: list[Decoded] = []
    query = dict(resource.selectors)
    limit = PAGE_ITEMS
    for _ in range(PAGES_MAX):
        if is_paged:
            query["limit"] = str(limit)
        try:
            body = await client.get(resource.path, query, PAGE_BYTES_MAX if is_paged else None)
        except ApiError as problem:
            if problem.reason != "TooLarge" or not is_paged or limit == 1:
                raise
            limit = max(1, limit // _SHRINK)
            continue
        page = decode_page(resource.kind, body)
        items += page.items
        if on_page is not None:
            on_page(page.items)
        if not page.token:
            return items, page.version
        query["continue"] = page.token
        limit = min(PAGE_ITEMS, 2 * limit)
    raise ApiError(0, "TooLarge", f"The list has more than {PAGES_MAX} pages")
