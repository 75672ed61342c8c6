"""Options that say what they want: each has an environment variable, and a bad value names the option."""

from __future__ import annotations

import argparse
import ipaddress
import math
from collections.abc import Callable, Mapping
from typing import Any

from entryproxy.settings import from_environment

WORKERS_MAX = 256
SECONDS_MAX = 86_400.0


def add_option(
    parser: argparse.ArgumentParser,
    name: str,
    parse: Callable[[str], Any],
    default: str | None,
    text: str,
    *,
    metavar: str,
    environment: Mapping[str, str] | None = None,
) -> None:
    """`--name`, else `ENTRYPROXY_<NAME>` unless that is empty, else `default`; without any of them it is required."""
    variable = "ENTRYPROXY_" + name.upper().replace("-", "_")
    value = from_environment(name, environment) or default
    shown = f"default {default}" if default else "required" if default is None else "none by default"
    parser.add_argument(
        f"--{name}",
        type=parse,
        default=value,
        required=value is None,
        metavar=metavar,
        help=f"{text} ({shown}; {variable})",
    )


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    return _integer(text, 0, 65_535)


def workers(text: str) -> int:
    """A number of processes."""
    return _integer(text, 1, WORKERS_MAX)


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


def _integer(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and lowest <= int(text) <= highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
    return int(text)
