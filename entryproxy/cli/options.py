"""Options that say what they want: each has an environment variable, and a bad value names the option."""

from __future__ import annotations

import argparse
import ipaddress
import math
from collections.abc import Callable, Mapping
from typing import Any

from entryproxy.model.hostname import is_label
from entryproxy.settings import from_environment

WORKERS_MAX = 256
PARALLEL_MAX = 32
SECONDS_MAX = 86_400.0
COUNT_MAX = 2**53


def add_option(
    parser: argparse.ArgumentParser,
    name: str,
    parse: Callable[[str], Any],
    default: str | None,
    text: str,
    *,
    metavar: str,
    unset: str = "none by default",
    environment: Mapping[str, str] | None = None,
) -> None:
    """`--name`, else `ENTRYPROXY_<NAME>` unless that is empty, else `default`; without any of them it is required.

    unset: what the help says of the default "".
    """
    variable = _variable(name)
    value = from_environment(name, environment) or default
    shown = f"default {default}" if default else "required" if default is None else unset
    parser.add_argument(
        f"--{name}",
        type=parse,
        default=value,
        required=value is None,
        metavar=metavar,
        help=f"{text} ({shown}; {variable})",
    )


def add_list_option(
    parser: argparse.ArgumentParser,
    name: str,
    parse: Callable[[str], Any],
    text: str,
    *,
    metavar: str,
    separator: str = ",",
    environment: Mapping[str, str] | None = None,
) -> None:
    """A tuple: all that `--name` is given, as often as it is, else `ENTRYPROXY_<NAME>` unless that is empty, else None.

    Each of them may hold several parts; `--name ""` is the empty tuple.
    """

    def parse_parts(given: str) -> tuple[Any, ...]:
        return tuple(parse(part.strip()) for part in given.split(separator) if part.strip())

    parser.add_argument(
        f"--{name}",
        action=_Gather,
        type=parse_parts,
        default=from_environment(name, environment) or None,
        metavar=metavar,
        help=f'{text} (several: again, or with "{separator}" between; {_variable(name)})',
    )


def add_switch(
    parser: argparse.ArgumentParser, name: str, text: str, environment: Mapping[str, str] | None = None
) -> None:
    """`--name` or `ENTRYPROXY_<NAME>=on`."""
    parser.add_argument(
        f"--{name}",
        action=_Switch,
        nargs=0,
        type=on_off,
        default=from_environment(name, environment) or "off",
        help=f"{text} ({_variable(name)}=on)",
    )


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """For `add_option` with the default "": None for what is not given."""
    return lambda text: parse(text) if text else None


def choice(*values: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in values:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(values)}")
        return text

    return parse


def label(text: str) -> str:
    """A DNS label, as names of namespaces and Services are."""
    if not is_label(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a DNS label")
    return text


def registry(text: str) -> str:
    """A prefix of oci:// references."""
    if not text.removeprefix("oci://") or not text.startswith("oci://"):
        raise argparse.ArgumentTypeError(f"{text!r} is not an oci:// reference")
    return text


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    return _integer(text, 0, 65_535)


def workers(text: str) -> int:
    """A number of processes."""
    return _integer(text, 1, WORKERS_MAX)


def parallel(text: str) -> int:
    """A number of operations at a time."""
    return _integer(text, 1, PARALLEL_MAX)


def seconds(text: str) -> float:
    """A duration, up to a day."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {SECONDS_MAX:.0f}")
    return value


def on_off(text: str) -> bool:
    """A switch."""
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return text == "on"


def address(text: str) -> str:
    """An IP address to listen on, IPv6 with or without brackets."""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from None


def count(text: str) -> int:
    """A whole number from 0 on."""
    return _integer(text, 0, COUNT_MAX)


def _integer(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and lowest <= int(text) <= highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
    return int(text)


def _variable(name: str) -> str:
    return "ENTRYPROXY_" + name.upper().replace("-", "_")


class _Gather(argparse.Action):
    """The first use on the command line replaces the default, which argparse has not parsed yet; later ones add."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        gathered = getattr(namespace, self.dest)
        setattr(namespace, self.dest, (*gathered, *values) if isinstance(gathered, tuple) else values)


class _Switch(argparse.Action):
    """Like store_true, but argparse parses its default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, True)
