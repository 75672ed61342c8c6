"""Puts the parts of one pod together: sockets, shared memory, and what each child process is made of."""

from __future__ import annotations

import functools
import logging
import mmap
import os
import secrets
import socket
from collections.abc import Callable

from entryproxy.edge.budgets import BudgetTable
from entryproxy.process import control, ledger, sockets, worker
from entryproxy.process.supervisor import Supervisor
from entryproxy.settings import ServeSettings
from entryproxy.telemetry.log import log_as

_log = logging.getLogger(__name__)


MakeSource = Callable[[ServeSettings], control.Source]
MakeCompiler = Callable[[ServeSettings], control.Compiler]


def run(
    settings: ServeSettings, make_server: worker.MakeServer, make_source: MakeSource, make_compiler: MakeCompiler
) -> int:
    """Run a whole pod in the foreground, until a signal ends it. 0, or 1 when it can't start or doesn't end in order.

    make_server: called in every worker. make_source, make_compiler: called in the control process.
    """
    log_as("supervisor")
    try:
        listening = sockets.open_worker_sockets(settings)
    except OSError as error:
        _log.error("can't listen: %s", error.strerror)
        return 1
    try:
        admin = sockets.open_admin_socket(settings)
    except OSError as error:
        for pair in listening:
            pair.close()
        _log.error("can't listen: %s", error.strerror)
        return 1
    lock_fd = os.memfd_create("access-log-lock")
    worker_main = functools.partial(
        _work, settings, make_server, BudgetTable.create_memory(settings.workers), secrets.token_bytes(32), lock_fd
    )
    control_main = functools.partial(_control, settings, make_source, make_compiler, ledger.create_memory())
    try:
        return Supervisor(settings, listening, admin, worker_main, control_main).run()
    finally:
        os.close(lock_fd)


def _work(
    settings: ServeSettings,
    make_server: worker.MakeServer,
    budgets: mmap.mmap,
    ticket_secret: bytes,
    lock_fd: int,
    slot: int,
    listening: sockets.WorkerSockets,
    link: socket.socket,
) -> None:
    context = worker.WorkerContext(
        slot=slot,
        settings=settings,
        sockets=listening,
        link=link,
        budgets=budgets,
        ticket_secret=ticket_secret,
        log_lock_fd=lock_fd,
    )
    worker.run(context, make_server)


def _control(
    settings: ServeSettings,
    make_source: MakeSource,
    make_compiler: MakeCompiler,
    memory: mmap.mmap,
    admin: socket.socket,
    link: socket.socket,
) -> None:
    context = control.ControlContext(settings=settings, admin=admin, link=link, ledger=memory)
    control.run(context, make_source(settings), make_compiler(settings))
