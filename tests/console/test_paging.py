from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.console.paging import LIMIT_MAX, QueryError, limit_of, page_of


def walk(items: dict[str, int], limit: int) -> list[int]:
    found, token = [], ""
    while True:
        page = page_of(items.items(), limit, token)
        assert not limit or len(page.items) <= limit
        found += page.items
        token = page.token
        if not token:
            return found


@given(
    items=st.dictionaries(st.text(min_size=1, max_size=4), st.integers(), max_size=40),
    limit=st.integers(min_value=0, max_value=10),
)
def test_pages_together_are_the_sorted_list(items: dict[str, int], limit: int) -> None:
    assert walk(items, limit) == [items[key] for key in sorted(items)]


def test_the_next_page_is_right_though_the_list_has_changed() -> None:
    items = {key: key for key in "bdfh"}
    first = page_of(items.items(), 2, "")
    del items["d"]
    items |= {"a": "a", "e": "e"}
    assert first.items == ["b", "d"]
    assert page_of(items.items(), 9, first.token).items == ["e", "f", "h"]


def test_a_page_that_ends_the_list_leads_nowhere() -> None:
    assert page_of([("a", 1), ("b", 2)], 2, "").token == ""


@pytest.mark.parametrize("token", ["?", "a", "/w==", "ä"])
def test_an_invented_token_is_refused(token: str) -> None:
    with pytest.raises(QueryError):
        page_of([("a", 1)], 1, token)


@pytest.mark.parametrize(("text", "expected"), [("", 7), ("0", 0), ("5", 5), (str(LIMIT_MAX), LIMIT_MAX)])
def test_limit(text: str, expected: int) -> None:
    assert limit_of({"limit": text}, default=7) == expected


@pytest.mark.parametrize("text", ["-1", "+1", "1.5", "x", "１", "²", str(LIMIT_MAX + 1), "9" * 5000, " 1"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        limit_of({"limit": text}, default=7)
