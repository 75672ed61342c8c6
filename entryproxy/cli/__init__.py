"""The command line: arguments and environment → settings → one command, and its exit status.

0 success, 1 a finding or failure, 2 bad usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from entryproxy.cli import check, controller, explain, migrate, serve, tenant
from entryproxy.cli.output import CommandError, complain
from entryproxy.demo import command as demo


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (without the program's name) asks for."""
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as end:  # argparse has printed its help (0) or what is wrong (2)
        return end.code if isinstance(end.code, int) else 2
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough of it, `| head` say. What is buffered still would fail again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except CommandError as error:
        complain(str(error))
        return error.status
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="entryproxy",
        description="One TLS entry in front of many tenants' gateways. Every option can come from ENTRYPROXY_<OPTION>.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=version("entryproxy"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, controller, demo, check, explain, tenant, migrate):
        command.add_parser(commands)
    return parser
