from __future__ import annotations

import pytest

from entryproxy.migrate.verdicts import FALSE, OFF, TRUE, default, differs, entry


@pytest.mark.parametrize("value", ["true", "True", "1", "t", " true "])
def test_rows_for_values(value: str) -> None:
    row = differs("Otherwise.", on={TRUE: default("When true."), FALSE: OFF})
    assert row.for_value(value).note == "When true."


def test_the_row_itself_for_all_other_values() -> None:
    row = entry("Always.", on={TRUE: OFF})
    assert row.for_value("truely") is row
    assert row.for_value("") is row


def test_values_of_several_lines() -> None:
    row = differs("Otherwise.", on={".*x.*": OFF})
    assert row.for_value("a\nx\nb") is OFF
