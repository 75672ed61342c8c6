from __future__ import annotations

import os
from pathlib import Path

import pytest

from entryproxy.controller.helm import chart_shelf
from entryproxy.controller.helm.chart_shelf import Shelf

REFERENCE = ("https://charts.example.com", "tiny", "1.0.0")


def test_what_was_fetched_is_known_to_the_next_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")
    assert shelf.recall(REFERENCE) is None
    place = shelf.put("d1", b"data", ())
    shelf.remember(REFERENCE, "d1")
    assert place.read_bytes() == b"data"
    assert Shelf(tmp_path / "shelf").recall(REFERENCE) == ("d1", b"data")
    assert shelf.recall(("", "tiny", "1.0.0")) is None


def test_everything_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir(mode=0o755)
    shelf = Shelf(folder)
    shelf.put("d1", b"data", ())
    shelf.remember(REFERENCE, "d1")
    for place in (folder, *folder.rglob("*")):
        assert place.stat().st_mode & 0o077 == 0, place


def test_a_damaged_package_is_replaced(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("d1", b"data", ()).write_bytes(b"torn")
    assert shelf.put("d1", b"data", ()).read_bytes() == b"data"


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"digest": 1}', b"\xff"])
def test_a_damaged_record_is_none(tmp_path: Path, text: bytes) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("d1", b"data", ())
    shelf.remember(REFERENCE, "d1")
    for record in (tmp_path / "fetched").iterdir():
        record.write_bytes(text)
    assert shelf.recall(REFERENCE) is None


def test_the_oldest_go_and_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_shelf, "PACKAGES_MAX", 3)
    shelf = Shelf(tmp_path)
    for number in range(6):
        place = shelf.put(f"d{number}", b"data", {"d0"})
        os.utime(place, (number, number))
    assert sorted(one.stem for one in (tmp_path / "packages").iterdir()) == ["d0", "d4", "d5"]


def test_work_goes_away(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with shelf.workspace() as folder:
        (folder / "a").write_text("")
    assert not folder.exists()
    leftover = tmp_path / "work/killed"
    leftover.mkdir()
    Shelf(tmp_path)
    assert not leftover.exists()
