"""The command line: arguments and environment → settings → one command, and its exit status.

0 success, 1 a finding or failure, 2 bad usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from entryproxy import __version__
from entryproxy.cli.output import CommandError, complain
from entryproxy.model.printable import printable

_COMMANDS = {
    "serve": "entryproxy.cli.serve",
    "controller": "entryproxy.cli.controller",
    "demo": "entryproxy.demo.command",
    "check": "entryproxy.cli.check",
    "explain": "entryproxy.cli.explain",
    "tenant": "entryproxy.cli.tenant",
    "migrate": "entryproxy.cli.migrate",
}
"""Each has `add_parser`, which says what to `run`."""
_INTERRUPTED = 130
"""As shells have it: 128 and the signal's number."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (without the program's name) asks for."""
    given = sys.argv[1:] if argv is None else argv
    try:
        args = _parser(given[0] if given else "").parse_args(given)
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
    except KeyboardInterrupt:
        complain("interrupted")
        return _INTERRUPTED
    return status


class _Parser(argparse.ArgumentParser):
    """Commands have dozens of options: what is wrong is told in a line, by the command that it is wrong for."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """argparse would collect what no command knows, and let the outermost one complain."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        """Ends with status 2."""
        self.exit(2, printable(f"{self.prog}: {message} ({self.prog} --help says what there is)") + "\n")


def _parser(command: str = "") -> argparse.ArgumentParser:
    """Of all commands. A known `command` is the only one that is loaded: an entry that starts needs no other."""
    parser = _Parser(
        prog="entryproxy",
        description="One TLS entry in front of many tenants' gateways. Every option can come from ENTRYPROXY_<OPTION>.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [command] if command in _COMMANDS else _COMMANDS:
        import_module(_COMMANDS[name]).add_parser(commands)
    return parser
