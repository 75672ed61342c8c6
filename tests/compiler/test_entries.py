from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from entryproxy.compiler.entries import Entries
from entryproxy.compiler.parsing import Entry
from tests.compiler.objects import config


def entry(name: str, stale_at: float = math.inf) -> Entry:
    return Entry(config(name), None, (), stale_at)


def reference(name: str) -> str:
    return config(name).reference


def names(found: list[Entry]) -> list[str]:
    return sorted(one.source.name for one in found)


def test_the_newest_entry_of_an_object_counts() -> None:
    entries, old, new = Entries(), entry("a"), entry("a")
    assert entries.get(reference("a")) is None
    entries.put(old)
    entries.put(new)
    assert entries.get(reference("a")) is new


def test_what_is_dropped_is_gone() -> None:
    entries, one = Entries(), entry("a", 5.0)
    entries.put(one)
    assert entries.drop(reference("a")) is one
    assert entries.drop(reference("a")) is None
    assert entries.get(reference("a")) is None
    assert entries.stale_at == math.inf
    assert list(entries.pop_stale(10.0)) == []


def test_those_whose_time_has_come() -> None:
    entries = Entries()
    for name, stale_at in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", math.inf)):
        entries.put(entry(name, stale_at))
    assert entries.stale_at == 1.0
    assert names(list(entries.pop_stale(0.9))) == []
    assert names(list(entries.pop_stale(2.0))) == ["a", "b"]
    assert entries.stale_at == 3.0


def test_the_time_of_a_version_that_is_gone_means_nothing() -> None:
    entries = Entries()
    entries.put(entry("a", 1.0))
    entries.put(entry("a", 5.0))
    assert entries.stale_at == 5.0
    assert list(entries.pop_stale(4.0)) == []
    entries.put(entry("a"))
    assert entries.stale_at == math.inf
    assert list(entries.pop_stale(9.0)) == []


def test_many_versions_of_one_object_take_no_more_room_than_a_few() -> None:
    entries = Entries()
    for number in range(10_000):
        entries.put(entry("a", 1_000.0 + number))
    assert len(entries._heap) < 2_000
    assert entries.stale_at == 10_999.0


TIMES = st.integers(0, 20).map(float) | st.just(math.inf)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcd"), TIMES),
        st.tuples(st.just("drop"), st.sampled_from("abcd"), st.none()),
        st.tuples(st.just("pop"), st.none(), st.integers(0, 20).map(float)),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_knows_what_a_look_at_all_of_them_would_tell(steps: list[tuple[str, str, float]]) -> None:
    """Against a plain dictionary; what was stale is put again, as the compiler does."""
    entries, model = Entries(), dict[str, Entry]()
    for what, name, time in steps:
        if what == "put":
            model[name] = entry(name, time)
            entries.put(model[name])
        elif what == "drop":
            assert entries.drop(reference(name)) is model.pop(name, None)
        else:
            stale = list(entries.pop_stale(time))
            assert set(names(stale)) == {key for key, one in model.items() if one.stale_at <= time}
            for one in stale:
                again = model[one.source.name] = entry(one.source.name, time + 3.0)
                entries.put(again)
        assert entries.stale_at == min((one.stale_at for one in model.values()), default=math.inf)
        assert {key: entries.get(reference(key)) for key in "abcd"} == {key: model.get(key) for key in "abcd"}
