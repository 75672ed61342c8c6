"""Where a head ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.errors import EntryError
from entryproxy.http1.head import find_head_end

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_end() -> None:
    assert find_head_end(HEAD, 0) == len(HEAD)
    assert find_head_end(bytearray(HEAD + b"body\r\n\r\n"), 0) == len(HEAD)
    assert find_head_end(HEAD[:-1], 0) == -1
    assert find_head_end(b"", 0) == -1


@given(st.lists(st.integers(0, len(HEAD)), max_size=6).map(sorted))
def test_end_in_a_growing_buffer(cuts: list[int]) -> None:
    seen = 0
    for cut in cuts:
        end = find_head_end(HEAD[:cut], seen)
        assert end == (len(HEAD) if cut == len(HEAD) else -1)
        if end > 0:
            return
        seen = cut
    assert find_head_end(HEAD + b"rest", seen) == len(HEAD)


@pytest.mark.parametrize(
    "begin", [b"GET / HTTP/1.1\n", b"\n", b"GET / HTTP/1.1\rH", b"GET / HTTP/1.1\r\nHost: a\n", b"a\r\r", b"\r\n\n"]
)
def test_bare_line_ends_are_refused_at_once(begin: bytes) -> None:
    with pytest.raises(EntryError) as caught:
        find_head_end(begin, 0)
    assert caught.value.status == 400
    seen = 0
    with pytest.raises(EntryError):
        for cut in range(1, len(begin) + 1):
            assert find_head_end(begin[:cut], seen) == -1
            seen = cut


@pytest.mark.parametrize("begin", [b"\r", b"a\r", b"a\r\n", b"a\r\n\r", b"\r\n"])
def test_half_a_line_end_waits(begin: bytes) -> None:
    assert find_head_end(begin, 0) == -1
    assert find_head_end(begin, len(begin) - 1) == -1
