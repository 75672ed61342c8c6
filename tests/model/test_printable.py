from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("app.customer.com → Secret „a\\b“ 租户", "app.customer.com → Secret „a\\b“ 租户"),
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("\x9b2J\x7f\x00", r"\x9b2J\x7f\x00"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("safe\u202eelbaliaver\u2069", r"safe\u202eelbaliaver\u2069"),
        ("a\u2028b\ud800", r"a\u2028b\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_always_one_line_that_can_be_printed(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert all(one.isprintable() or ord(one) >= 0xA0 for one in shown)
    shown.encode()
