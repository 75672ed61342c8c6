"""Which gateway address to try first, and which to leave alone for a while.

Health is passive: consecutive failures eject an address, with a back-off that doubles until a success forgets it all.
When the back-off ends the address is on probation: its next failure ejects it at once. When every address is ejected
all of them are tried anyway (Envoy calls it panic mode), because a refusal helps nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class AddressHealth:
    """What one gateway address did lately. Times in seconds of the caller's monotonic clock."""

    __slots__ = ("ejected_until", "ejections", "failures")

    def __init__(self) -> None:
        self.failures = 0  # consecutive
        self.ejections = 0  # since the last success
        self.ejected_until = 0.0

    def is_ejected(self, now: float) -> bool:
        return now < self.ejected_until

    def succeeded(self) -> None:
        """The address answered: forget what was."""
        self.failures = 0
        self.ejections = 0
        self.ejected_until = 0.0

    def failed(self, now: float, threshold: int, base: float, longest: float) -> bool:
        """Count a failure; True when it ejects the address, for base, 2·base, 4·base … at most `longest` seconds.

        Failures of requests that were under way when the address was ejected change nothing.
        """
        if self.is_ejected(now):
            return False
        self.failures += 1
        if self.failures < threshold and not self.ejections:
            return False
        self.ejected_until = now + min(longest, base * 2.0 ** min(self.ejections, 32))
        self.ejections += 1
        return True

    def __repr__(self) -> str:
        return (
            f"<AddressHealth {self.failures} failures, ejected {self.ejections} times until {self.ejected_until:.3f}>"
        )


def order(
    addresses: Sequence[str],
    health: Mapping[str, AddressHealth],
    in_flight: Mapping[str, int],
    now: float,
    turn: int,
) -> Sequence[str]:
    """Every address, in the order to try them: healthy before ejected, ejected ones by their return.

    Among the healthy the power of two choices decides: of two picked by `turn` (a counter or a random number, not
    negative) the one with fewer requests in flight leads. Addresses missing in `health` are healthy, in `in_flight`
    idle.
    """
    if len(addresses) == 1:
        return addresses
    healthy: list[str] = []
    ejected: list[tuple[float, str]] = []
    for address in addresses:
        state = health.get(address)
        if state is not None and state.is_ejected(now):
            ejected.append((state.ejected_until, address))
        else:
            healthy.append(address)
    if len(healthy) > 1:
        _lead_with_the_better_of_two(healthy, in_flight, turn)
    if ejected:
        ejected.sort()
        healthy.extend(address for _, address in ejected)
    return healthy


def _lead_with_the_better_of_two(addresses: list[str], in_flight: Mapping[str, int], turn: int) -> None:
    count = len(addresses)
    round_, first = divmod(turn, count)
    second = (first + 1 + round_ % (count - 1)) % count
    one, other = addresses[first], addresses[second]
    if in_flight.get(other, 0) < in_flight.get(one, 0):
        first = second
    # A rotation, so that the next to try differ from turn to turn as well.
    addresses[:] = addresses[first:] + addresses[:first]
