"""Quantities of the Kubernetes API ("500m", "1.5Gi", "2e3") as exact numbers, and back in canonical form.

Source: apimachinery's resource.Quantity,
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction

CHARACTERS_MAX = 64
QUANTITY_MAX = 2**63 - 1
_NANO = Fraction(1, 10**9)
_DECIMAL = {suffix: Fraction(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", *"kMGTPE"), start=-3)}
_BINARY = {f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)}
_SUFFIXES = _DECIMAL | _BINARY
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE](?P<exponent>[+-]?[0-9]{1,3})|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)


def parse_quantity(text: str) -> Fraction:
    """The exact number that `text` stands for: cores, bytes, or whatever is counted.

    As in Kubernetes, what is finer than a nano is rounded away from zero. Raises ValueError with a sentence for what is
    no quantity, and for magnitudes over 2⁶³ - 1, which Kubernetes would cap in silence.
    """
    found = _QUANTITY.fullmatch(text) if len(text) <= CHARACTERS_MAX else None
    if found is None:
        raise ValueError(f'"{text[:CHARACTERS_MAX]}" is not a Kubernetes quantity such as "500m", "2" or "1.5Gi"')
    exponent = found["exponent"]
    scale = Fraction(10) ** int(exponent) if exponent is not None else _SUFFIXES[found["suffix"]]
    value = _round_up(Fraction(found["number"]) * scale)
    if abs(value) > QUANTITY_MAX:
        raise ValueError(f'"{text}" is more than a Kubernetes quantity can hold, which ends at 2^63 - 1')
    return value


def format_quantity(value: Fraction | int, *, binary: bool = False) -> str:
    """`value` in canonical form: no fraction, and the largest suffix that loses nothing ("1500m", "100k").

    binary: of bytes, in Ki, Mi and so on ("1536Mi"); numbers under 1024 and such as aren't whole get a decimal suffix,
    as in Kubernetes. What is finer than a nano is rounded away from zero.
    """
    value = _round_up(Fraction(value))
    if binary and value.denominator == 1:
        scales = _BINARY | {"": Fraction(1)} if abs(value) >= 1024 else {"": Fraction(1)}
    else:
        scales = _DECIMAL
    suffix = max((one for one, scale in scales.items() if (value / scale).denominator == 1), key=scales.__getitem__)
    return f"{value / scales[suffix]}{suffix}" if value else "0"


def _round_up(value: Fraction) -> Fraction:
    nanos = abs(value) / _NANO
    rounded = -(-nanos.numerator // nanos.denominator) * _NANO
    return rounded if value >= 0 else -rounded
