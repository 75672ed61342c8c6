"""Which address of a gateway gets the next request, and which to leave alone for a while.

Health is passive: consecutive failures eject an address, with a back-off that doubles until a success forgets it all.
When the back-off ends the address is on probation: its next failure ejects it at once. When every address is ejected
all of them are tried anyway (Envoy calls it panic mode), because a refusal helps nobody.

Who competes is worked out when addresses or their health change (`arrange`). What every request asks (`pick`) costs
the same however many there are: the power of two choices (Mitzenmacher, 2001), which is to look at two of them and
take the one with fewer requests in flight.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import inf
from typing import Generic, TypeVar

SLOW_START_WEIGHT_MIN = 0.1  # Envoy's default
_GOLDEN = 0.6180339887498949  # its multiples spread evenly over [0, 1) modulo 1, whatever arithmetic series is drawn


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


class Candidate:
    """One address as the choice sees it.

    zone, for_zones, draining: as in `model.tenant.GatewayEndpoint`. in_flight: requests that the caller has there.
    joined: when it came to addresses that were there before it, which is when its slow start begins; -inf for one
    that came with the first.
    """

    __slots__ = ("draining", "for_zones", "health", "in_flight", "joined", "zone")

    def __init__(self) -> None:
        self.zone = ""
        self.for_zones: tuple[str, ...] = ()
        self.draining = False
        self.joined = -inf
        self.health = AddressHealth()
        self.in_flight = 0


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def weight(age_seconds: float, slow_start_seconds: float) -> float:
    """The part of an equal share that an address of this age should get: evenly up from 0.1 to 1 in the given time
    (Envoy's slow start with aggression 1).
    """
    if age_seconds >= slow_start_seconds:
        return 1.0
    return SLOW_START_WEIGHT_MIN + (1.0 - SLOW_START_WEIGHT_MIN) * max(0.0, age_seconds) / slow_start_seconds


class Arrangement(Generic[AnyCandidate]):
    """Candidates in order of preference; true until one of them fails, recovers or changes, or `until`.

    ring: those that compete for new requests. others: the rest, in the order to try them when the ring has failed.
    settled: to whom a competitor in its slow start leaves requests, empty when nobody is in it or everybody. until:
    seconds of the caller's monotonic clock.
    """

    __slots__ = ("_slow_start_seconds", "others", "ring", "settled", "until")

    def __init__(
        self,
        ring: Sequence[AnyCandidate],
        others: Sequence[AnyCandidate],
        settled: Sequence[AnyCandidate],
        until: float,
        slow_start_seconds: float,
    ) -> None:
        self.ring = ring
        self.others = others
        self.settled = settled
        self.until = until
        self._slow_start_seconds = slow_start_seconds

    def pick(self, turn: int, now: float) -> AnyCandidate | None:
        """Who gets a request; None when there is nobody. turn: a counter or a random number, not negative."""
        if self.settled:
            return self._pick_gently(turn, now)
        ring = self.ring
        if len(ring) > 1:
            return _better_of_two(ring, turn)
        return ring[0] if ring else None

    def pick_other(self, tried: Container[AnyCandidate], turn: int) -> AnyCandidate | None:
        """Who is tried after all of `tried` have failed: the rest of the ring, from another place each turn, then the
        others. None when nobody is left.
        """
        start = turn % len(self.ring) if self.ring else 0
        in_turn = (*self.ring[start:], *self.ring[:start], *self.others)
        return next((one for one in in_turn if one not in tried), None)

    def _pick_gently(self, turn: int, now: float) -> AnyCandidate:
        """As `pick`, but what a candidate in its slow start has in flight counts for more, and it declines most of its
        turns: the count alone would send it a full share whenever there is little to do.
        """
        one, other = _two(self.ring, turn)
        mine, others = self._weight(one, now), self._weight(other, now)
        if other.in_flight * mine < one.in_flight * others:
            one, mine = other, others
        if mine < 1.0 and turn * _GOLDEN % 1.0 >= mine:
            return _better_of_two(self.settled, turn)
        return one

    def _weight(self, one: AnyCandidate, now: float) -> float:
        return weight(now - one.joined, self._slow_start_seconds)


def arrange(
    candidates: Sequence[AnyCandidate], zone: str, now: float, slow_start_seconds: float
) -> Arrangement[AnyCandidate]:
    """The near before the far, those before the draining, and ejected ones last, by their return.

    Only the best kind that there is competes; of ejected ones the first to return. zone: the caller's own, "" when it
    doesn't know.
    """
    usable = [one for one in candidates if not one.health.is_ejected(now)]
    ejected = sorted((one for one in candidates if one.health.is_ejected(now)), key=_return)
    healthy = [one for one in usable if not one.draining]
    draining = [one for one in usable if one.draining]
    near = _near(healthy, zone)
    far = [] if len(near) == len(healthy) else [one for one in healthy if one not in near]
    order = (*near, *far, *draining, *ejected)
    competing = len(near) or len(draining) or min(1, len(ejected))
    ring, others = order[:competing], order[competing:]
    growing = dict.fromkeys(one for one in usable if now < one.joined + slow_start_seconds)
    settled: list[AnyCandidate] = []
    if any(one in growing for one in ring):
        settled = [one for one in ring if one not in growing] or [one for one in far if one not in growing]
    ends = [one.joined + slow_start_seconds for one in growing] + [one.health.ejected_until for one in ejected]
    return Arrangement(ring, others, settled, min(ends, default=inf), slow_start_seconds)


def _near(healthy: Sequence[AnyCandidate], zone: str) -> dict[AnyCandidate, None]:
    """Those meant for `zone`, else those in it, else all: strictly, as with `trafficDistribution: PreferSameZone`.

    Hints count only where every endpoint has them, as in kube-proxy: while they are being rolled out, the few that
    have one would get everything.
    """
    near: list[AnyCandidate] = []
    if zone:
        if all(one.for_zones for one in healthy):
            near = [one for one in healthy if zone in one.for_zones]
        near = near or [one for one in healthy if one.zone == zone]
    return dict.fromkeys(near or healthy)


def _return(one: Candidate) -> float:
    return one.health.ejected_until


def _two(ring: Sequence[AnyCandidate], turn: int) -> tuple[AnyCandidate, AnyCandidate]:
    """The one whose turn it is and another, with which it is paired anew each round; itself where it is alone."""
    count = len(ring)
    if count == 1:
        return ring[0], ring[0]
    round_, first = divmod(turn, count)
    return ring[first], ring[first - 1 - round_ % (count - 1)]


def _better_of_two(ring: Sequence[AnyCandidate], turn: int) -> AnyCandidate:
    one, other = _two(ring, turn)
    return other if other.in_flight < one.in_flight else one
