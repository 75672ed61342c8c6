from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from entryproxy.cli import options


def parse(add: Callable[[argparse.ArgumentParser], None], *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("id", nargs="?")
    add(parser)
    return parser.parse_args(arguments)


def add_ports(environment: Mapping[str, str] | None = None) -> Callable[[argparse.ArgumentParser], None]:
    return lambda parser: options.add_list_option(
        parser, "to-port", options.port, "ports", metavar="PORT", environment=environment or {}
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, None),
        ([], {"ENTRYPROXY_TO_PORT": ""}, None),
        ([], {"ENTRYPROXY_TO_PORT": "1, 2"}, (1, 2)),
        (["--to-port", "3"], {"ENTRYPROXY_TO_PORT": "1,2"}, (3,)),
        (["--to-port", "3", "--to-port", "4,5"], {}, (3, 4, 5)),
        (["--to-port", ""], {"ENTRYPROXY_TO_PORT": "1"}, ()),
    ],
)
def test_lists(arguments: list[str], environment: dict[str, str], expected: Any) -> None:
    assert parse(add_ports(environment), *arguments).to_port == expected


@pytest.mark.parametrize("environment", [{"ENTRYPROXY_TO_PORT": "x"}, {}])
def test_a_bad_part_of_a_list_names_the_option(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(add_ports(environment), *([] if environment else ["--to-port", "1,x"]))
    assert "argument --to-port: 'x' is not a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, False),
        ([], {"ENTRYPROXY_DRY_RUN": ""}, False),
        ([], {"ENTRYPROXY_DRY_RUN": "off"}, False),
        ([], {"ENTRYPROXY_DRY_RUN": "on"}, True),
        (["--dry-run"], {"ENTRYPROXY_DRY_RUN": "off"}, True),
        (["--dry-run", "t1"], {}, True),
    ],
)
def test_switches(arguments: list[str], environment: dict[str, str], expected: bool) -> None:
    args = parse(lambda parser: options.add_switch(parser, "dry-run", "try", environment), *arguments)
    assert args.dry_run is expected
    assert args.id == ("t1" if "t1" in arguments else None)


def test_a_switch_says_what_its_variable_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(lambda parser: options.add_switch(parser, "yes", "go", {"ENTRYPROXY_YES": "1"}))
    assert "argument --yes: '1' is neither on nor off" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "expected"), [([], None), (["--port", ""], None), (["--port", "80"], 80)])
def test_what_is_not_given_is_none(arguments: list[str], expected: int | None) -> None:
    args = parse(
        lambda parser: options.add_option(
            parser, "port", options.optional(options.port), "", "p", metavar="P", environment={}
        ),
        *arguments,
    )
    assert args.port == expected


@pytest.mark.parametrize(
    ("parse_text", "good", "bad"),
    [
        (options.label, {"a-1": "a-1"}, ["A", "-a", "a.b", "", "a" * 64]),
        (options.choice("on", "off"), {"on": "on"}, ["ON", ""]),
        (options.count, {"0": 0, "9007199254740992": 2**53}, ["-1", "1.5", "9007199254740993", "٣", "1" * 30]),
        (options.seconds, {"0.5": 0.5}, ["-1", "nan", "x", "86401"]),
        (options.on_off, {"on": True, "off": False}, ["yes"]),
        (options.address, {"[::1]": "::1"}, ["localhost"]),
    ],
)
def test_values(parse_text: Callable[[str], Any], good: dict[str, Any], bad: list[str]) -> None:
    for text, value in good.items():
        assert parse_text(text) == value
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError):
            parse_text(text)
