"""One collection, followed: listed once, watched from there, resumed after every cut, listed again when it must be.

The rules are those of https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes and
of client-go's Reflector.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

from entryproxy.config.kubernetes.decode import Event, decode_event
from entryproxy.config.kubernetes.guard import CONFIRM_SECONDS, DropGuard
from entryproxy.config.kubernetes.health import Health
from entryproxy.config.kubernetes.listing import OnPage, list_all
from entryproxy.config.kubernetes.resources import Resource
from entryproxy.config.kubernetes.store import Store
from entryproxy.kubernetes.backoff import Backoff
from entryproxy.kubernetes.client import SILENCE_SECONDS, ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.finding import Finding

WATCH_SECONDS_MIN = 300
"""How long the server should keep a watch, up to twice as long; spread, so that they don't all end at once."""
EXPIRED_LISTS_MAX = 2
"""So many lists whose pages expired in a row, and the next one is not paged."""
SILENCE_JITTER = 0.1
"""By how much a silent watch may be dropped earlier: later than bookmarks come, and not together with all others."""
SHORT_WATCH_SECONDS = 1.0
"""A watch that ends sooner, without an event, is a failure."""
_UNUSABLE_VERSION = frozenset({400, 504})
"""What a server says to a version that it doesn't understand, or does not have yet."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """What tests replace. clock: monotonic seconds; wall: Unix seconds; random: uniform in [0, 1)."""

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class Reflector:
    """store: what there is. health: whether the API server can be asked. is_listed: whether it ever answered.

    doubt: why a list has not taken effect yet, None when there is none.
    """

    def __init__(self, resource: Resource, notify: Callable[[], None], timing: Timing | None = None) -> None:
        """notify: called whenever any of that changed."""
        self.resource = resource
        self.store = Store()
        self.health = Health(resource)
        self.is_listed = False
        self.on_page: OnPage | None = None
        self.doubt: Finding | None = None
        self._notify = notify
        self._timing = timing or Timing()
        self._backoff = Backoff(self._timing.random)
        self._guard = DropGuard()
        self._version = ""  # "" until the next list
        self._broken_version = ""  # from which a watch gave something unreadable
        self._expired_lists = 0

    def start_over(self) -> None:
        """List again before anything else, and at once, whatever failed before; call while `run` doesn't."""
        self._version = ""
        self._backoff = Backoff(self._timing.random)

    async def run(self, client: ClusterClient) -> NoReturn:
        """Follow for ever, whatever the API server does."""
        while True:
            follow, verb = (self._watch, "watch") if self._version else (self._list, "list")
            try:
                await follow(client)
            except ApiError as problem:
                self._judge(verb, problem)
                await self._timing.sleep(self._backoff.failed(problem, self._timing.clock()))

    async def _list(self, client: ClusterClient) -> None:
        is_paged = self._expired_lists < EXPIRED_LISTS_MAX
        items, version = await list_all(client, self.resource, is_paged=is_paged, on_page=self.on_page)
        self._expired_lists = 0
        missing = len(self.store.missing(items))
        is_news = self._reached()
        if not self._guard.believes(len(self.store), missing):
            self.doubt = self._doubt(missing)
            self._notify()
            await self._timing.sleep(self._backoff.jittered(CONFIRM_SECONDS))
            return
        self._version = version
        is_news |= self.doubt is not None or not self.is_listed
        self.doubt, self.is_listed = None, True
        if self.store.replace(items) or is_news:
            self._notify()

    async def _watch(self, client: ClusterClient) -> None:
        """Until it ends, or falls silent: whether the server is still there, the next one will show."""
        started, is_silent = self._timing.clock(), True
        silence_seconds = SILENCE_SECONDS * (1 - SILENCE_JITTER * self._timing.random())
        async with client.watch(self.resource.path, self._watch_query(), silence_seconds) as lines:
            if self._reached():
                self._notify()
            try:
                async for line in lines:
                    self._apply(decode_event(self.resource.kind, line))
                    is_silent = False
            except ApiError as problem:
                if problem.reason != "Silent":
                    raise
        if is_silent and self._timing.clock() - started < SHORT_WATCH_SECONDS:
            raise ApiError(0, "Unreachable", "The API server ends watches at once")

    def _watch_query(self) -> dict[str, str]:
        seconds = WATCH_SECONDS_MIN * (1 + self._timing.random())
        return {
            **self.resource.selectors,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": f"{seconds:.0f}",
        }

    def _apply(self, event: Event) -> None:
        if event.decoded is not None and self.store.apply(event.decoded):
            self._notify()
        self._version = event.version or self._version

    def _reached(self) -> bool:
        self._backoff.succeeded(self._timing.clock())
        return self.health.recovered()

    def _judge(self, verb: str, problem: ApiError) -> None:
        """What a failure says about the version that we have, and about the server."""
        if problem.is_gone:
            self._expired_lists += verb == "list"
            _log.info("%s: listing again: %s", self.resource.reference, problem)
            self._version = ""
            return
        if problem.status in _UNUSABLE_VERSION or self._is_broken_again(problem):
            self._version = ""
        if self.health.failed(verb, problem, self._timing.wall()):
            self._notify()

    def _is_broken_again(self, problem: ApiError) -> bool:
        """Whether a watch from this version gave something unreadable twice: it would for ever."""
        if problem.reason not in ("Malformed", "TooLarge"):
            return False
        was, self._broken_version = self._broken_version, self._version
        return was == self._version

    def _doubt(self, missing: int) -> Finding:
        known = len(self.store)
        return Finding(
            severity="warning",
            reason="SuddenDrop",
            object=self.resource.reference,
            field="",
            message=f"{missing} of {known} objects are missing in a list; they stay until a second one says so",
        )
