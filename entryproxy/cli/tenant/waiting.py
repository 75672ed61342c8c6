"""--wait: what the controller says of a tenant's gateway, until it is there, or gone."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Set
from typing import TYPE_CHECKING

from entryproxy.cli import options
from entryproxy.cli.output import CommandError, say
from entryproxy.cli.tenant.status import read_told
from entryproxy.model.status import TenantStatus, document_digest

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess

POLL_SECONDS = 0.5
SILENCE_SECONDS = 15.0
"""A controller that is there has begun by then."""
SILENT = "no controller has said anything yet: is one running, and for this namespace?"


def add_waiting_options(parser: argparse.ArgumentParser, until: str) -> None:
    """--wait and --timeout. until: what is waited for, as a clause."""
    options.add_switch(parser, "wait", f"until {until}; tells the progress")
    options.add_option(parser, "timeout", options.seconds, "600", "seconds to wait at most", metavar="SECONDS")


class Progress:
    """Says each step once. since: the monotonic time from which steps are counted."""

    def __init__(self, since: float, timeout_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._since = since
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._said = ""

    def say(self, status: TenantStatus | None) -> None:
        """Where it stands; None for nothing that counts."""
        line = f"{status.phase} ({status.reason}): {status.message}" if status is not None else ""
        if status is None and not self._said and self._elapsed > SILENCE_SECONDS:
            line = SILENT
        if line and line != self._said:
            self.end(line)

    def end(self, line: str) -> None:
        """A line without any condition."""
        say(f"{self._elapsed:6.1f} s  {line}")
        self._said = line

    async def pause(self, what: str, tenant: str) -> None:
        """Until it is worth looking again. what: isn't there in time, for the CommandError."""
        if self._elapsed > self._timeout_seconds:
            raise CommandError(f"{what} after {self._timeout_seconds:g} s{self._outlook(tenant)}")
        await asyncio.sleep(POLL_SECONDS)

    def _outlook(self, tenant: str) -> str:
        """What is to be expected after the deadline: the end of a sentence."""
        if not self._said:
            return f": {SILENT}"
        return "" if self._said == SILENT else f"; the controller goes on: entryproxy tenant show {tenant}"

    @property
    def _elapsed(self) -> float:
        return self._clock() - self._since


async def wait_for_gateway(access: ClusterAccess, tenant: str, document: str, progress: Progress) -> None:
    """Until it is ready; says each step. document: the text of `tenant.yaml`, since what is said of an older one
    doesn't count.

    Raises CommandError when it can't become ready as written, isn't in time, or isn't wanted any more.
    """
    wanted = document_digest(document)
    while True:
        told = (await read_told(access, tenant)).get(f"{access.namespace}/{tenant}")
        if told is None or told.is_going:
            raise CommandError(f"tenant {tenant} has been removed meanwhile")
        status = told.status if told.status is not None and told.status.document == wanted else None
        progress.say(status)
        if status is not None and status.phase == "Ready":
            return
        if status is not None and status.phase == "Failed" and not status.next_retry:
            raise CommandError(f"the gateway of tenant {tenant} can't be made as written: {status.message}")
        await progress.pause(f"the gateway of tenant {tenant} isn't ready", tenant)


async def wait_for_removal(access: ClusterAccess, tenant: str, uids: Set[str], progress: Progress) -> None:
    """Until these ConfigMaps, which were deleted, are gone; says each step, and nothing if they are already. Raises
    CommandError when they aren't in time."""
    is_news = False
    while left := [one for one in (await read_told(access, tenant)).values() if one.uid in uids]:
        is_news, status = True, left[0].status
        # What was said before it was deleted is no news.
        progress.say(status if status is not None and status.phase in ("Removing", "Removed") else None)
        await progress.pause(f"tenant {tenant} isn't gone", tenant)
    if is_news:
        progress.end("gone")
