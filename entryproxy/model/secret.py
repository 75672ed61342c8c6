"""Bytes that must not be seen: private keys."""

from __future__ import annotations

from typing import NoReturn


class PrivateBytes:
    """Key material. Printing, formatting and pickling give nothing away; `reveal()` is the one way in, easy to search
    for.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves, for the TLS library and the channel to the workers only."""
        return self._value

    def __repr__(self) -> str:
        return "PrivateBytes([redacted])"

    def __reduce__(self) -> NoReturn:
        raise TypeError("PrivateBytes does not pickle")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateBytes) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)
