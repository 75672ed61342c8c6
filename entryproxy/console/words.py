"""Numbers and times for people."""

from __future__ import annotations

_NARROW_SPACE = "\u202f"
_DAY_SECONDS = 86_400


def count(number: int) -> str:
    """Thousands apart: 12 345."""
    return f"{number:,}".replace(",", _NARROW_SPACE)


def size(number: int) -> str:
    """Bytes with a decimal prefix: 1.2 MB."""
    value, units = float(number), iter(("B", "kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    for larger in units:
        if value < 1000:
            break
        value, unit = value / 1000, larger
    digits = 0 if unit == "B" or value >= 100 else 1
    return f"{value:.{digits}f}{_NARROW_SPACE}{unit}"


def duration(seconds: float) -> str:
    """The two largest units: 3 d 4 h, 12 min 5 s."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", _DAY_SECONDS), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, length)
        if amount or parts or unit == "s":
            parts.append(f"{amount}{_NARROW_SPACE}{unit}")
        if len(parts) == 2:
            break
    return " ".join(parts)


def days_left(days: int) -> str:
    """How long a certificate still holds."""
    if days < 0:
        return "expired"
    return {0: "ends today", 1: "1 day left"}.get(days, f"{count(days)} days left")
