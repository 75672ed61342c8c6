from __future__ import annotations

from entryproxy.compiler.findings import warning
from entryproxy.compiler.remarks import Remarks
from tests.compiler.objects import config

ONE, TWO = (warning(config("a"), "UnknownKey", field, "nothing reads it") for field in ("one", "two"))


def test_the_last_word_about_each_counts() -> None:
    remarks = Remarks()
    remarks.put("a", [ONE])
    remarks.put("b", [TWO])
    remarks.put("a", [ONE, TWO])
    assert list(remarks.everything) == [ONE, TWO, TWO]
    remarks.put("a")
    assert list(remarks.everything) == [TWO]
    remarks.put("b", [])
    remarks.put("never heard of")
    assert list(remarks.everything) == []


def test_it_stays_the_same_while_nobody_says_anything_new() -> None:
    remarks = Remarks()
    remarks.put("a", [ONE])
    before = remarks.everything
    remarks.put("a", [ONE])
    remarks.put("b")
    assert remarks.everything is before
    remarks.put("b", [TWO])
    assert remarks.everything == (ONE, TWO)
