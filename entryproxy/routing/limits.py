"""Requests per second as GCRA, the leaky bucket with one number of state (ITU-T I.371, Annex A).

The number is the theoretical arrival time: when the bucket would be empty again. One float per tenant can live in
memory that several workers share, and needs no timer to refill.
"""

from __future__ import annotations


def admit(theoretical_arrival: float, now: float, rate: float, burst: float) -> tuple[bool, float, float]:
    """Whether one more request may pass, the new state, and the seconds until one may (0 when admitted).

    theoretical_arrival: the state, 0 at first; seconds of the same monotonic clock as `now`. rate: requests per
    second, > 0. burst: how many may come at once after a pause, at least 1. A refused request leaves the state as it
    is.
    """
    interval = 1.0 / rate
    arrival = max(theoretical_arrival, now)
    early = arrival - now - (burst - 1.0) * interval
    # A billionth of a second forgives what adding intervals in floating point loses.
    if early > 1e-9:
        return False, theoretical_arrival, early
    return True, arrival + interval, 0.0
