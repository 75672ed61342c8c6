"""Values as ingress-nginx reads them. Each function gives None for what it wouldn't accept."""

from __future__ import annotations

import ipaddress
import re

_SIZE = re.compile(r"(?P<number>[0-9]{1,15})(?P<unit>[bkmg]?)")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE_MAX = 2**53
_SECONDS = re.compile(r"[0-9]{1,9}")


def read_size(text: str) -> int | None:
    """Bytes of "8m" or "1024"; 0 for no limit."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        return None
    return min(int(match["number"]) * _UNITS[match["unit"]], _SIZE_MAX)


def read_seconds(text: str) -> int | None:
    """A whole number of seconds above 0."""
    match = _SECONDS.fullmatch(text.strip())
    return int(match[0]) or None if match else None


def read_boolean(text: str) -> bool | None:
    """What Go's ParseBool takes."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    return False if text in ("0", "f", "F", "false", "FALSE", "False") else None


def read_networks(text: str) -> tuple[str, ...] | None:
    """CIDRs parted by commas, without host bits; an address counts as a network of one."""
    try:
        return tuple(str(ipaddress.ip_network(one.strip(), strict=False)) for one in text.split(",") if one.strip())
    except ValueError:
        return None


def read_names(text: str) -> tuple[str, ...]:
    """Names parted by commas, in lower case."""
    return tuple(dict.fromkeys(name for one in text.split(",") if (name := one.strip().lower())))
