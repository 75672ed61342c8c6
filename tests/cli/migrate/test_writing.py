from __future__ import annotations

import os
from pathlib import Path

import pytest

from entryproxy.cli.migrate.writing import check_folder, write_folder
from entryproxy.cli.output import CommandError
from entryproxy.migrate.manifests import File


def test_modes(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_folder(tmp_path / "a" / "b", [File("open", "1"), File("closed", "2", is_private=True)])
    finally:
        os.umask(before)
    found = {path.name: (path.read_text(), path.stat().st_mode & 0o777) for path in (tmp_path / "a" / "b").iterdir()}
    assert found == {"open": ("1", 0o644), "closed": ("2", 0o600)}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("a", "link"):
        with pytest.raises(CommandError, match="File exists"):
            write_folder(tmp_path, [File(name, "theirs")])
    assert (tmp_path / "a").read_text() == (tmp_path / "target").read_text() == "mine"


def test_only_new_or_empty_folders(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new")
    (tmp_path / "a").write_text("")
    for taken in (tmp_path, tmp_path / "a"):
        with pytest.raises(CommandError, match="holds something already"):
            check_folder(taken)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(CommandError, match="can't write"):
        write_folder(tmp_path / "a" / "b", [])
    with pytest.raises(CommandError, match="name too long"):
        check_folder(tmp_path / ("x" * 5_000))
        write_folder(tmp_path / ("x" * 5_000), [])
