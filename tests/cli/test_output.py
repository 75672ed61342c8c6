from __future__ import annotations

import argparse

import msgspec
import pytest

from entryproxy.cli.output import (
    CommandError,
    add_output_argument,
    complain,
    complain_of,
    print_document,
    print_fields,
    print_table,
    say,
    several,
)
from entryproxy.model.finding import Finding
from entryproxy.model.tenant import Limits

FINDING = Finding(severity="error", reason="InvalidObject", object="ConfigMap ns/t1", field="", message="No")


def test_documents(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"items": [Limits(connections=1)]}
    print_document(value, "json")
    assert capsys.readouterr().out == '{"items":[{"requestBodyBytes":0,"requestsPerSecond":0,"connections":1}]}\n'
    print_document(value, "yaml")
    assert capsys.readouterr().out == "items:\n  - requestBodyBytes: 0\n    requestsPerSecond: 0\n    connections: 1\n"


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "STATE"), [("tenant1", "x"), ("t", "")])
    assert capsys.readouterr().out == "ID        STATE\ntenant1   x\nt\n"


def test_fields(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([*several("host", ["a", "b"]), ("long one", "c")])
    assert capsys.readouterr().out == "host      a\n          b\nlong one  c\n"
    print_fields([])
    assert capsys.readouterr().out == ""


def test_complaints_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no")
    complain_of([FINDING])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "entryproxy: no\nerror: ConfigMap ns/t1: No [InvalidObject]\n")


def test_a_terminal_obeys_nobody_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, annotations and messages in a cluster are not the operator's own."""
    print_table(("ID",), [("\x1b[2J\nforged",)])
    print_fields([("host", "\x1b[2J\nforged")])
    say("\x1b[2J\nforged")
    said = capsys.readouterr().out
    assert said == "ID\n\\x1b[2J\\nforged\nhost  \\x1b[2J\\nforged\n\\x1b[2J\\nforged\n"
    complain("\x1b[2J\n  advice")
    complain_of([msgspec.structs.replace(FINDING, message="\x9b2J\nerror: forged")])
    said = capsys.readouterr().err
    assert said == "entryproxy: \\x1b[2J\n  advice\nerror: ConfigMap ns/t1: \\x9b2J\\nerror: forged [InvalidObject]\n"


def test_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_output_argument(parser, "text", "name")
        return str(parser.parse_args(arguments).output)

    assert (chosen(), chosen("-o", "name")) == ("text", "name")
    with pytest.raises(SystemExit):
        chosen("-o", "json")
    monkeypatch.setenv("ENTRYPROXY_OUTPUT", "name")
    assert chosen() == "name"


def test_the_status_of_failures() -> None:
    assert (CommandError("x").status, CommandError("x", status=2).status) == (1, 2)
