from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from entryproxy.routing.balance import AddressHealth, order


def fail(health: AddressHealth, now: float, times: int = 1) -> list[bool]:
    return [health.failed(now, threshold=3, base=1.0, longest=8.0) for _ in range(times)]


def ejected(until: float) -> AddressHealth:
    health = AddressHealth()
    health.ejected_until = until
    return health


def test_consecutive_failures_eject_and_a_success_between_forgives() -> None:
    health = AddressHealth()
    assert fail(health, 10.0, 2) == [False, False]
    health.succeeded()
    assert fail(health, 10.0, 3) == [False, False, True]
    assert health.is_ejected(10.9)
    assert not health.is_ejected(11.0)


def test_backoff_doubles_to_the_longest_and_probation_ends_at_one_failure() -> None:
    health = AddressHealth()
    fail(health, 0.0, 3)
    lengths = []
    for _ in range(5):
        now = health.ejected_until
        assert fail(health, now) == [True]
        lengths.append(health.ejected_until - now)
    assert lengths == [2.0, 4.0, 8.0, 8.0, 8.0]
    health.succeeded()
    assert fail(health, 1_000.0, 3) == [False, False, True]
    assert health.ejected_until == 1_001.0


def test_failures_of_requests_under_way_do_not_lengthen_the_ejection() -> None:
    health = AddressHealth()
    fail(health, 0.0, 3)
    assert fail(health, 0.5, 10) == [False] * 10
    assert health.ejected_until == 1.0


def test_one_address_is_returned_as_it_is() -> None:
    addresses = ("a:1",)
    assert order(addresses, {"a:1": ejected(99.0)}, {}, 0.0, 7) is addresses


def test_healthy_before_ejected_and_panic_when_none_is_left() -> None:
    health = {"a": ejected(50.0), "b": ejected(40.0)}
    assert list(order(("a", "b", "c"), health, {}, 10.0, 0)) == ["c", "b", "a"]
    assert list(order(("a", "b"), health, {}, 10.0, 0)) == ["b", "a"]
    assert list(order(("a", "b"), health, {}, 60.0, 0)) == ["a", "b"]


def test_fewer_in_flight_leads() -> None:
    for turn in range(10):
        assert order(("a", "b"), {}, {"a": 5, "b": 1}, 0.0, turn)[0] == "b"


def test_turns_spread_evenly() -> None:
    leaders = Counter(order(("a", "b", "c"), {}, {}, 0.0, turn)[0] for turn in range(300))
    assert set(leaders.values()) == {100}


@given(
    st.lists(st.integers(0, 99).map(str), min_size=1, max_size=6, unique=True),
    st.dictionaries(st.integers(0, 99).map(str), st.floats(0, 20)),
    st.dictionaries(st.integers(0, 99).map(str), st.integers(0, 9)),
    st.integers(0, 1_000),
)
def test_every_address_once_and_the_healthy_first(
    addresses: list[str], until: dict[str, float], in_flight: dict[str, int], turn: int
) -> None:
    health = {address: ejected(time) for address, time in until.items()}
    result = list(order(tuple(addresses), health, in_flight, 10.0, turn))
    assert sorted(result) == sorted(addresses)
    flags = [until.get(address, 0.0) > 10.0 for address in result]
    assert flags == sorted(flags)


@given(st.lists(st.integers(0, 99), min_size=2, max_size=6), st.integers(0, 1_000))
def test_the_busiest_never_leads(loads: list[int], turn: int) -> None:
    in_flight = {str(number): load for number, load in enumerate(loads)}
    leader = order(tuple(in_flight), {}, in_flight, 0.0, turn)[0]
    if sorted(loads)[-1] > sorted(loads)[-2]:
        assert in_flight[leader] < max(loads)
