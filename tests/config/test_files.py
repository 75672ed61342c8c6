from __future__ import annotations

from pathlib import Path

import pytest

from entryproxy.config import files
from entryproxy.config.files import ManifestFile, Signature
from tests.config.objects import config_map, together


def signature(path: Path) -> Signature:
    status = path.stat()
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def is_left_alone(file: ManifestFile, as_seen: Signature) -> bool:
    return not file.refresh(as_seen) and file.is_young


@pytest.fixture
def file(tmp_path: Path) -> ManifestFile:
    return ManifestFile(tmp_path / "a.yaml", "ns", lambda one: one)


def test_a_file_is_read_once_per_signature(file: ManifestFile) -> None:
    file.path.write_text(config_map("a"))
    known = (1, 2, 3)
    assert file.refresh(known)
    file.path.write_text(config_map("b"))
    assert not file.refresh(known)
    file.forget_signature()
    assert file.refresh(known)
    assert [one.name for one in file.objects] == ["b"]


def test_reading_the_same_again_is_no_difference(file: ManifestFile) -> None:
    file.path.write_text(config_map("a"))
    assert file.refresh(None)
    (before,) = file.objects
    assert not file.refresh(None)
    assert file.objects[0] is before


def test_gone_and_too_large(file: ManifestFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        file.refresh(None)
    file.path.write_text(config_map("a"))
    file.refresh(None)
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 10)
    assert file.refresh(None)
    assert [one.name for one in file.kept] == ["a"]
    assert file.findings[0].message == "Larger than 10 bytes; what was good before, if anything, stays in force"


def test_a_file_written_in_place_is_young_and_a_renamed_one_is_not(file: ManifestFile) -> None:
    file.path.write_text(config_map("a"))
    modified, size, inode = signature(file.path)
    file.refresh((modified - 10**9, size, inode))
    assert not is_left_alone(file, (modified + 10**12, size, inode))  # a clock gone wrong must not freeze the file
    beside = file.path.with_name("beside")
    beside.write_text(together(config_map("a"), config_map("b")))
    beside.rename(file.path)
    assert not is_left_alone(file, signature(file.path))
    file.path.write_text("")
    assert is_left_alone(file, signature(file.path))
    assert [one.name for one in file.objects] == ["a", "b"]


def test_the_line_of_a_broken_document(file: ManifestFile) -> None:
    file.path.write_text("a: 1\n---\nb: 1\nb: 2\n")
    file.refresh(None)
    assert file.findings[0].origin == "a.yaml:4"
