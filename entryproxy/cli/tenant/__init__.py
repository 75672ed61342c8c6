"""`entryproxy tenant …`: the labelled objects of one tenant, or of all, written and read."""

from __future__ import annotations

import argparse

from entryproxy.cli.tenant import adding, listing, removing, rendering, showing


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its own commands."""
    parser = subparsers.add_parser(
        "tenant",
        help="add, list, show, render or remove tenants",
        description="Write and read the labelled objects of tenants.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (adding, listing, showing, rendering, removing):
        command.add_parser(commands)
