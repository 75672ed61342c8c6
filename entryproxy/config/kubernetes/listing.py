"""A whole collection, page by page."""

from __future__ import annotations

from entryproxy.config.kubernetes.client import PAGE_ITEMS, ClusterClient
from entryproxy.config.kubernetes.decode import Decoded, decode_page
from entryproxy.config.kubernetes.errors import ApiError
from entryproxy.config.kubernetes.resources import Resource

PAGES_MAX = 2_000


async def list_all(client: ClusterClient, resource: Resource, *, is_paged: bool = True) -> tuple[list[Decoded], str]:
    """Every object, and the version from where to watch. Raises ApiError; one that `is_gone` means: begin again.

    is_paged: False to get everything at once, for a server whose pages expire faster than they can be read.
    """
    items: list[Decoded] = []
    query = {**resource.selectors, **({"limit": str(PAGE_ITEMS)} if is_paged else {})}
    for _ in range(PAGES_MAX):
        page = decode_page(resource.kind, await client.get(resource.path, query))
        items += page.items
        if not page.token:
            return items, page.version
        query["continue"] = page.token
    raise ApiError(0, "TooLarge", f"The list has more than {PAGES_MAX} pages")
