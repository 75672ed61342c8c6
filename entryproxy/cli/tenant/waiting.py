"""--wait: what the controller says of a tenant's gateway, until it is there."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from entryproxy.cli import options
from entryproxy.cli.output import CommandError, say
from entryproxy.cli.tenant.status import read_status
from entryproxy.model.status import TenantStatus, document_digest

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess

POLL_SECONDS = 0.5
SILENCE_SECONDS = 15.0
"""A controller that is there has begun by then."""
_SILENT = "no controller has said anything yet: is one running, and for this namespace?"


def add_waiting_options(parser: argparse.ArgumentParser) -> None:
    """--wait and --timeout."""
    options.add_switch(parser, "wait", "until the gateway that the controller makes is ready; tells the progress")
    options.add_option(parser, "timeout", options.seconds, "600", "how long to wait", metavar="SECONDS")


async def wait_for_gateway(
    access: ClusterAccess, tenant: str, document: str, timeout_seconds: float, since: float
) -> None:
    """Until it is ready; says each step. document: the text of `tenant.yaml`, since what is said of an older one
    doesn't count. since: the monotonic time from which steps are counted.

    Raises CommandError when it can't become ready as written, or isn't after timeout_seconds.
    """
    told, wanted = "", document_digest(document)
    while True:
        elapsed = time.monotonic() - since
        status = await read_status(access, tenant)
        if status is not None and status.document != wanted:
            status = None
        line = _line(status) if status is not None else _SILENT if elapsed > SILENCE_SECONDS else ""
        if line and line != told:
            say(f"{elapsed:6.1f} s  {line}")
            told = line
        if status is not None and status.phase == "Ready":
            return
        if status is not None and status.phase == "Failed" and not status.next_retry:
            raise CommandError(f"the gateway of tenant {tenant} can't be made as written")
        if elapsed > timeout_seconds:
            raise CommandError(f"the gateway of tenant {tenant} isn't ready after {timeout_seconds:g} s")
        await asyncio.sleep(POLL_SECONDS)


def _line(status: TenantStatus) -> str:
    return f"{status.phase} ({status.reason}): {status.message}"
