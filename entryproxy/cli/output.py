"""What commands print: text for people, documents for programs, problems on standard error.

Text for people is printed line by line, without what their terminals would obey: much of it was written by others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from entryproxy.cli.options import choice
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.printable import printable
from entryproxy.settings import from_environment

_COLUMN_GAP = 3


class CommandError(Exception):
    """The command can't go on. The message is for the user, one or more lines. status: of the process, 1 or 2."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def add_output_argument(parser: argparse.ArgumentParser, *formats: str) -> None:
    """-o with these formats, the first of them by default."""
    default = from_environment("output") or formats[0]
    parser.add_argument(
        "-o",
        "--output",
        type=choice(*formats),
        default=default,
        metavar="FORMAT",
        help=f"{', '.join(formats[:-1])} or {formats[-1]} (default {default}; ENTRYPROXY_OUTPUT)",
    )


def print_document(value: object, output: str) -> None:
    """For programs: one line of JSON, or YAML with the same fields."""
    if output == "json":
        print(msgspec.json.encode(value).decode())
    else:
        print(write_yaml(msgspec.to_builtins(value)), end="")


def say(line: str) -> None:
    """A line of text."""
    print(printable(line))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, the last one without padding."""
    lines = [header, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) + _COLUMN_GAP for column in range(len(header))]
    for line in lines:
        print("".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Label and text, a line each; "" continues the field before."""
    known = list(fields)
    width = max((len(label) for label, _ in known), default=0) + 2
    for label, text in known:
        say(f"{label:<{width}}{text}".rstrip())


def several(label: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Fields of one label, which stands before the first one only."""
    for number, text in enumerate(texts):
        yield "" if number else label, text


def complain(message: str) -> None:
    """A sentence on standard error, with whatever else there is to say in further lines."""
    print(*map(printable, f"entryproxy: {message}".split("\n")), sep="\n", file=sys.stderr)


def complain_of(findings: Iterable[Finding]) -> None:
    """Findings beside the command's own output."""
    for one in findings:
        print(printable(str(one)), file=sys.stderr)
