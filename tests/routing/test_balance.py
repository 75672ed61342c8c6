from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entryproxy.routing.balance import SLOW_START_WEIGHT_MIN, AddressHealth, Arrangement, Candidate, arrange, weight

NOW, SLOW_START = 1_000.0, 30.0


def fail(health: AddressHealth, now: float, times: int = 1) -> list[bool]:
    return [health.failed(now, threshold=3, base=1.0, longest=8.0) for _ in range(times)]


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


class Pod(Candidate):
    """A candidate with a name."""

    __slots__ = ("name",)

    def __init__(
        self,
        name: str = "",
        *,
        zone: str = "",
        hints: Sequence[str] = (),
        draining: bool = False,
        ejected_until: float = 0.0,
        age: float = inf,
        in_flight: int = 0,
    ) -> None:
        super().__init__()
        self.name = name
        self.zone = zone
        self.for_zones = tuple(hints)
        self.draining = draining
        self.health.ejected_until = ejected_until
        self.joined = NOW - age
        self.in_flight = in_flight

    @property
    def is_ejected(self) -> bool:
        return self.health.is_ejected(NOW)

    @property
    def is_growing(self) -> bool:
        return NOW - self.joined < SLOW_START

    def __repr__(self) -> str:
        return (
            f"<{self.name} {self.zone} {self.for_zones} {self.draining} {self.health} {self.joined} {self.in_flight}>"
        )


def arranged(*pods: Pod, zone: str = "") -> Arrangement[Pod]:
    return arrange(pods, zone, NOW, SLOW_START)


def names(pods: Sequence[Pod]) -> str:
    return " ".join(pod.name for pod in pods)


def shares(arrangement: Arrangement[Pod], turns: int = 3_000) -> dict[str, float]:
    """Who gets which part of the picks."""
    counted: Counter[str] = Counter()
    for turn in range(turns):
        picked = arrangement.pick(turn, NOW)
        assert picked is not None
        counted[picked.name] += 1
    return {name: count / turns for name, count in counted.items()}


# -- who competes


@pytest.mark.parametrize(
    ("zone", "pods", "ring", "others"),
    [
        ("", [Pod("a"), Pod("b")], "a b", ""),
        ("", [Pod("a", draining=True), Pod("b")], "b", "a"),
        ("", [Pod("a", ejected_until=1_001), Pod("b")], "b", "a"),
        ("", [Pod("a", ejected_until=1_000), Pod("b")], "a b", ""),
        # of those that nobody wants to try, the draining ones first, then the first to return
        ("", [Pod("a", ejected_until=1_001), Pod("b", draining=True)], "b", "a"),
        ("", [Pod("a", ejected_until=1_002), Pod("b", ejected_until=1_001, draining=True)], "b", "a"),
        ("", [Pod("a", draining=True), Pod("b", draining=True)], "a b", ""),
        # zones
        ("", [Pod("a", zone="x"), Pod("b", zone="y")], "a b", ""),
        ("x", [Pod("a", zone="y"), Pod("b", zone="x"), Pod("c", zone="x")], "b c", "a"),
        ("x", [Pod("a", zone="y"), Pod("b")], "a b", ""),
        ("x", [Pod("a", zone="x", draining=True), Pod("b", zone="y")], "b", "a"),
        ("x", [Pod("a", zone="x", ejected_until=1_001), Pod("b", zone="y")], "b", "a"),
        ("x", [Pod("a", zone="x", draining=True), Pod("b", zone="y", draining=True)], "a b", ""),
        # hints win over the zone, where all have them
        ("x", [Pod("a", zone="x", hints="y"), Pod("b", zone="y", hints="xy")], "b", "a"),
        ("x", [Pod("a", zone="x", hints="y"), Pod("b", zone="y", hints="y")], "a", "b"),
        ("x", [Pod("a", zone="x"), Pod("b", zone="y", hints="x")], "a", "b"),
        ("x", [Pod("a", zone="y"), Pod("b", zone="y", hints="x")], "a b", ""),
        ("x", [Pod("a", draining=True), Pod("b", hints="x"), Pod("c", hints="y")], "b", "c a"),
        ("", [], "", ""),
    ],
)
def test_who_competes(zone: str, pods: list[Pod], ring: str, others: str) -> None:
    arrangement = arranged(*pods, zone=zone)
    assert names(arrangement.ring) == ring
    assert names(arrangement.others) == others


def test_who_is_ejected_longest_is_tried_last() -> None:
    pods = [Pod(str(until), ejected_until=until) for until in (1_003, 1_001, 1_002)]
    arrangement = arranged(*pods, Pod("well"))
    assert names(arrangement.ring) == "well"
    assert names(arrangement.others) == "1001 1002 1003"


@pytest.mark.parametrize(
    ("pods", "until"),
    [
        ([Pod(), Pod()], inf),
        ([Pod(), Pod(ejected_until=1_005), Pod(ejected_until=1_003)], 1_003),
        ([Pod(), Pod(age=10)], 1_020),
        ([Pod(), Pod(age=10), Pod(ejected_until=1_003)], 1_003),
        ([Pod(), Pod(age=10), Pod(age=5), Pod(ejected_until=1_033)], 1_020),
    ],
)
def test_how_long_it_is_true(pods: list[Pod], until: float) -> None:
    assert arranged(*pods).until == until


# -- who is picked


def test_nobody_is_picked_of_none() -> None:
    assert arranged().pick(0, NOW) is None
    assert arranged().pick_other((), 0) is None


def test_fewer_in_flight_win() -> None:
    assert shares(arranged(Pod("a", in_flight=5), Pod("b", in_flight=1))) == {"b": 1.0}


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_turns_spread_evenly(count: int) -> None:
    assert set(shares(arranged(*(Pod(str(number)) for number in range(count)))).values()) == {1 / count}


@pytest.mark.parametrize("count", [2, 3, 10])
def test_everybody_meets_everybody(count: int) -> None:
    """The two that are compared change, or load would only even out between neighbours."""
    pods = [Pod(str(number)) for number in range(count)]
    for idle in pods:
        for pod in pods:
            pod.in_flight = 1
        idle.in_flight = 0
        assert shares(arranged(*pods), count * (count - 1))[idle.name] == pytest.approx(2 / count)


def test_a_later_one_is_tried_once_whoever_failed() -> None:
    pods = [Pod("a"), Pod("b"), Pod("c"), Pod("d", draining=True), Pod("e", ejected_until=1_001)]
    arrangement = arranged(*pods)
    orders = set()
    for turn in range(30):
        tried: list[Pod] = []
        while (pod := arrangement.pick_other(tried, turn)) is not None:
            tried.append(pod)
        assert sorted(names(tried)) == sorted("a b c d e")
        assert names(tried[3:]) == "d e"
        orders.add(names(tried[:3]))
    assert orders == {"a b c", "b c a", "c a b"}, "nor does one neighbour get all that another refuses"


# -- slow start


def test_the_ramp() -> None:
    assert [weight(age, 30.0) for age in (-1, 0, 15, 30, 1_000)] == [0.1, 0.1, pytest.approx(0.55), 1.0, 1.0]
    assert weight(0, 0) == 1.0


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e5))
def test_the_ramp_only_rises(one: float, other: float, slow_start_seconds: float) -> None:
    younger, older = sorted((one, other))
    assert SLOW_START_WEIGHT_MIN <= weight(younger, slow_start_seconds) <= weight(older, slow_start_seconds) <= 1.0


@pytest.mark.parametrize("others", [1, 2, 9])
@pytest.mark.parametrize("age", [0, 10, 20, 29])
def test_a_newcomer_without_load_gets_its_part_of_an_equal_share(age: float, others: int) -> None:
    arrangement = arranged(Pod("new", age=age), *(Pod(str(number)) for number in range(others)))
    part = shares(arrangement)
    assert part.pop("new") == pytest.approx(weight(age, SLOW_START) / (others + 1), rel=0.1)
    assert max(part.values()) == pytest.approx(min(part.values()), rel=0.3)


def test_a_newcomer_under_load_gets_less() -> None:
    pods = [Pod("new", age=0, in_flight=2), *(Pod(str(number), in_flight=10) for number in range(3))]
    assert shares(arranged(*pods)).get("new", 0) == 0.0, "2 in flight weigh as much as 20"
    pods[0].in_flight = 0
    assert 0.03 < shares(arranged(*pods))["new"] < 0.07


def test_all_new_at_once_share_as_ever() -> None:
    assert shares(arranged(Pod("a", age=1), Pod("b", age=1))) == {"a": 0.5, "b": 0.5}


def test_the_only_one_in_our_zone_starts_slowly_too() -> None:
    pods = [Pod("new", zone="x", age=0), Pod("a", zone="y"), Pod("b", zone="y")]
    part = shares(arranged(*pods, zone="x"))
    assert part["new"] == pytest.approx(0.1, rel=0.05)
    assert part["a"] == pytest.approx(part["b"], rel=0.1)


def test_a_newcomer_leaves_nothing_to_those_that_leave() -> None:
    arrangement = arranged(Pod("new", age=0), Pod("a", draining=True), Pod("b", ejected_until=1_001))
    assert shares(arrangement) == {"new": 1.0}


# -- whatever the candidates

pods = st.builds(
    Pod,
    name=st.just("pod"),
    zone=st.sampled_from(["", "x", "y"]),
    hints=st.sampled_from(["", "x", "y", "xy"]),
    draining=st.booleans(),
    ejected_until=st.sampled_from([0.0, 1_000.0, 1_001.0, 1_002.0]),
    age=st.sampled_from([0.0, 10.0, 29.9, 30.0, inf]),
    in_flight=st.integers(0, 9),
)
several = st.lists(pods, max_size=7)
zones = st.sampled_from(["", "x", "z"])
turns = st.integers(0, 2**40)


def rank(pod: Pod) -> int:
    """0 is best; the zone comes on top of that."""
    return 2 if pod.is_ejected else int(pod.draining)


@given(several, zones)
def test_everybody_has_one_place_and_the_better_come_first(all_pods: list[Pod], zone: str) -> None:
    arrangement = arranged(*all_pods, zone=zone)
    order = [*arrangement.ring, *arrangement.others]
    assert len(order) == len(all_pods) and set(order) == set(all_pods)
    assert bool(arrangement.ring) == bool(all_pods)
    assert [rank(pod) for pod in order] == sorted(rank(pod) for pod in order)
    assert arrangement.until > NOW


@given(several, zones, turns)
def test_nobody_worse_is_picked_while_a_better_one_is_there(all_pods: list[Pod], zone: str, turn: int) -> None:
    assume(all_pods)
    picked = arranged(*all_pods, zone=zone).pick(turn, NOW)
    assert picked is not None
    assert rank(picked) == min(map(rank, all_pods))


@given(several, turns)
def test_the_zone_is_left_only_for_a_newcomer(all_pods: list[Pod], turn: int) -> None:
    healthy = [pod for pod in all_pods if rank(pod) == 0]
    near = [pod for pod in healthy if "x" in pod.for_zones] if all(pod.for_zones for pod in healthy) else []
    near = near or [pod for pod in healthy if pod.zone == "x"]
    assume(near)
    picked = arranged(*all_pods, zone="x").pick(turn, NOW)
    assert picked is not None
    assert picked in near or (all(pod.is_growing for pod in near) and not picked.is_growing)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), turns)
def test_the_busiest_is_never_picked(loads: list[int], turn: int) -> None:
    picked = arranged(Pod("busiest", in_flight=10), *(Pod(in_flight=load) for load in loads)).pick(turn, NOW)
    assert picked is not None
    assert picked.name != "busiest"


@given(st.lists(st.integers(0, 50), min_size=2, max_size=10), st.integers(0, 1_000))
def test_loads_even_out(loads: list[int], turn: int) -> None:
    """Requests that come and stay end up within a few of each other, wherever they began."""
    all_pods = [Pod(str(number), in_flight=load) for number, load in enumerate(loads)]
    arrangement = arranged(*all_pods)
    for _ in range(60 * len(loads)):
        picked = arrangement.pick(turn, NOW)
        assert picked is not None
        picked.in_flight += 1
        turn += 1
    assert max(pod.in_flight for pod in all_pods) - min(pod.in_flight for pod in all_pods) <= 6
