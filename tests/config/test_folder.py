from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from entryproxy.config import folder as folder_module
from entryproxy.config.folder import FolderSource, unread_in
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from tests.config.objects import config_map, secret, together
from tests.support import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
def source(tmp_path: Path, clock: Clock) -> FolderSource:
    return FolderSource(tmp_path, namespace="ns", clock=clock)


def write(path: Path, text: str) -> None:
    """In one step, as the source asks for."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.rename(path)


def _age(path: Path, seconds: float) -> None:
    """Make the file look as if it was written so long ago."""
    written = time.time() - seconds
    os.utime(path, (written, written))


_seen: WeakKeyDictionary[FolderSource, dict[str, LabelledObject]] = WeakKeyDictionary()


def load(source: FolderSource) -> tuple[list[LabelledObject], tuple[Finding, ...]]:
    """All objects, as the readings so far tell, and what can't be read."""
    reading = source.load()
    known = _seen.setdefault(source, {})
    for reference in reading.removed:
        del known[reference]
    known.update({one.reference: one for one in reading.changed})
    return list(known.values()), reading.findings


def names(source: FolderSource) -> list[str]:
    return sorted(one.name for one in load(source)[0])


def by_name(source: FolderSource) -> dict[str, LabelledObject]:
    return {one.name: one for one in load(source)[0]}


def reasons(source: FolderSource) -> list[tuple[str, str, str]]:
    return [(one.reason, one.object, one.origin) for one in load(source)[1]]


def test_yaml_files_of_the_folder_only(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", config_map("b"))
    write(tmp_path / "a.yml", together(config_map("a1"), "# nothing\n", config_map("a2"), "kind: Service\n"))
    (tmp_path / ".hidden.yaml").write_text(config_map("hidden"))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "inner.yaml").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.yaml").write_text(config_map("c"))
    assert names(source) == ["a1", "a2", "b"]
    assert reasons(source) == [("UnreadableFile", "File inner.yaml", "inner.yaml")]


def test_unchanged_objects_stay_the_same_even_in_a_changed_file(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", together(config_map("a"), config_map("b"), secret("b")))
    write(tmp_path / "c.yaml", config_map("c"))
    first = by_name(source)
    assert source.load().changed == ()
    write(tmp_path / "a.yaml", together(config_map("a", {"tenant.yaml": "hsts: true"}), config_map("b"), secret("b")))
    second = by_name(source)
    assert second["a"] != first["a"]
    assert all(second[name] is first[name] for name in ("b", "c", "tls"))


def test_unlabelled_objects_leave_no_trace(source: FolderSource, tmp_path: Path) -> None:
    stranger = secret("x", key=b"stranger-key").replace("entryproxy.higress.io/tenant", "app")
    write(tmp_path / "a.yaml", together(config_map("a"), stranger))
    assert names(source) == ["a"]
    assert load(source)[1] == ()
    file = source._files["a.yaml"]
    assert all(len(digest) == 32 for digest in file._documents)
    assert sum(len(objects) for objects in file._documents.values()) == 1


def test_a_broken_document_keeps_what_it_may_have_held(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", together(config_map("a"), config_map("b"), config_map("c")))
    assert names(source) == ["a", "b", "c"]
    write(tmp_path / "a.yaml", together(config_map("a", {"x": "1"}), "kind: [oops\n", config_map("c")))
    now = by_name(source)
    assert sorted(now) == ["a", "b", "c"]
    assert now["a"].data == {"x": "1"}  # type: ignore[union-attr]
    ((reason, about, origin),) = reasons(source)
    assert (reason, about) == ("InvalidYaml", "File a.yaml")
    assert origin.startswith("a.yaml:")
    write(tmp_path / "a.yaml", config_map("a"))
    assert names(source) == ["a"]
    assert reasons(source) == []


def test_an_unreadable_object_keeps_only_itself(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", together(config_map("a"), config_map("b"), config_map("c")))
    before = by_name(source)
    write(tmp_path / "a.yaml", config_map("a").replace("data: {}", "data: 7"))
    assert by_name(source) == {"a": before["a"]}
    assert reasons(source) == [("InvalidObject", "ConfigMap ns/a", "a.yaml")]


def test_an_unreadable_file_keeps_everything(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", together(config_map("a"), config_map("b")))
    before = by_name(source)
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\xff")
    _age(tmp_path / "a.yaml", 0.5)
    assert by_name(source) == before
    assert reasons(source) == [("UnreadableFile", "File a.yaml", "a.yaml")]
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere")
    assert by_name(source) == before
    write(tmp_path / "a.yaml", config_map("b"))
    assert names(source) == ["b"]
    (tmp_path / "a.yaml").unlink()
    assert names(source) == []


def test_the_same_object_twice(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", config_map("a", {"from": "b"}))
    write(tmp_path / "a.yaml", config_map("a", {"from": "a"}))
    (one,) = load(source)[0]
    assert one.origin == "a.yaml"
    assert reasons(source) == [("DuplicateObject", "ConfigMap ns/a", "b.yaml")]
    (tmp_path / "a.yaml").unlink()
    (one,) = load(source)[0]
    assert one.origin == "b.yaml"
    assert reasons(source) == []


def test_a_readable_object_beats_a_kept_one(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", config_map("x", {"version": "1"}))
    load(source)
    write(tmp_path / "a.yaml", "[broken")
    write(tmp_path / "b.yaml", config_map("x", {"version": "2"}))
    (one,) = load(source)[0]
    assert one.data == {"version": "2"}  # type: ignore[union-attr]


def test_claims_are_as_old_as_the_source_first_saw_them(source: FolderSource, tmp_path: Path, clock: Clock) -> None:
    write(tmp_path / "a.yaml", together(config_map("a"), config_map("b")))
    write(tmp_path / "z.yaml", config_map("z", creationTimestamp="2020-01-01T00:00:00Z"))
    first = by_name(source)
    assert first["a"].created == first["b"].created == "2027-01-15T08:00:00.000000Z"
    assert first["z"].created == "2020-01-01T00:00:00.000000Z"
    clock.now += 5
    write(tmp_path / "a.yaml", together(config_map("a", {"x": "1"}), config_map("b"), config_map("aa")))
    second = by_name(source)
    assert second["a"].created == first["a"].created  # changed, but the same object
    assert second["aa"].created > first["a"].created
    clock.now += 5
    write(tmp_path / "a.yaml", config_map("b"))
    load(source)
    write(tmp_path / "a.yaml", together(config_map("a"), config_map("b")))
    third = by_name(source)
    assert third["a"].created > second["aa"].created  # withdrawn and made anew
    assert third["b"].created == first["b"].created


def test_a_clock_that_goes_back_makes_no_claim_older(source: FolderSource, tmp_path: Path, clock: Clock) -> None:
    write(tmp_path / "a.yaml", config_map("a"))
    first = by_name(source)
    clock.now -= 1_000
    write(tmp_path / "b.yaml", config_map("b"))
    assert by_name(source)["b"].created >= first["a"].created


def test_a_folder_that_vanishes_changes_nothing(source: FolderSource, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "a.yaml", config_map("a"))
    inner = FolderSource(folder)
    assert names(inner) == ["a"]
    folder.rename(tmp_path / "away")
    assert names(inner) == ["a"]
    assert reasons(inner) == [("UnreadableFolder", f"Folder {folder}", "")]
    folder.mkdir()
    write(folder / "b.yaml", config_map("b"))
    assert names(inner) == ["b"]
    assert reasons(inner) == []


def test_no_folder_at_the_start(tmp_path: Path) -> None:
    missing = FolderSource(tmp_path / "missing")
    reading = missing.load()
    assert reading.changed == ()
    assert [one.reason for one in reading.findings] == ["UnreadableFolder"]
    assert (set(reading.unread), reading.error) == ({""}, str(reading.findings[0]))


def test_a_projected_volume(source: FolderSource, tmp_path: Path) -> None:
    """As kubelet does it: files are links through ..data, which is replaced in one step."""

    def publish(version: str, *tenants: str) -> None:
        target = tmp_path / f"..{version}"
        target.mkdir()
        (target / "all.yaml").write_text(together(*(config_map(one) for one in tenants)))
        (tmp_path / "..data_tmp").symlink_to(target.name)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    publish("1", "a")
    (tmp_path / "all.yaml").symlink_to("..data/all.yaml")
    assert names(source) == ["a"]
    publish("2", "a", "b")
    assert names(source) == ["a", "b"]


def test_reload_reads_files_whose_signature_is_the_same(source: FolderSource, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for tenant, expected in (("aa", "aa"), ("bb", "aa")):
        path.write_text(config_map(tenant))
        os.utime(path, (1_700_000_000, 1_700_000_000))
        assert names(source) == [expected]
    source.request_reload()
    assert names(source) == ["bb"]


def test_two_writes_in_one_tick_of_the_clock_are_both_seen(source: FolderSource, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(config_map("aa"))
    _age(path, 0.05)
    status = path.stat()
    assert names(source) == ["aa"]
    path.write_text(config_map("bb"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert names(source) == ["bb"]


def test_a_file_being_written_in_place_is_left_alone(source: FolderSource, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(together(config_map("a"), config_map("b")))
    assert names(source) == ["a", "b"]
    path.write_text(config_map("a"))
    _age(path, 0.5)
    assert names(source) == ["a"]
    path.write_text("")
    _age(path, 0.5)
    assert names(source) == ["a"]  # emptied half a second ago: the rest is still to come
    _age(path, 2)
    assert names(source) == []


async def test_watch_comes_back_for_a_file_that_was_too_young(source: FolderSource, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(config_map("a"))
    async with aclosing(source.watch()) as ticks:
        await _until(source, ticks, ["a"])
        path.write_text("")
        await _tick(ticks)
        assert names(source) == ["a"]
        await _until(source, ticks, [])


async def test_watch_ticks_at_the_beginning_after_a_write_and_on_request(source: FolderSource, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", config_map("a"))
    async with aclosing(source.watch()) as ticks:
        await _tick(ticks)
        assert names(source) == ["a"]
        write(tmp_path / "b.yaml", config_map("b"))
        await _tick(ticks)
        assert names(source) == ["a", "b"]
        (tmp_path / "a.yaml").unlink()
        await _tick(ticks)
        assert names(source) == ["b"]
        source.request_reload()
        await _tick(ticks)


async def test_watch_survives_the_folders_replacement(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    source = FolderSource(folder)
    async with aclosing(source.watch()) as ticks:
        await _tick(ticks)
        assert names(source) == []
        folder.mkdir()
        write(folder / "a.yaml", config_map("a"))
        await _until(source, ticks, ["a"])
        folder.rename(tmp_path / "away")
        folder.mkdir()
        write(folder / "b.yaml", config_map("b"))
        await _until(source, ticks, ["b"])
        write(folder / "c.yaml", config_map("c"))
        await _until(source, ticks, ["b", "c"])


async def _tick(ticks: AsyncGenerator[float, None]) -> None:
    async with asyncio.timeout(10):
        await anext(ticks)


async def _until(source: FolderSource, ticks: AsyncGenerator[float, None], expected: list[str]) -> None:
    while names(source) != expected:
        await _tick(ticks)


@pytest.mark.parametrize(
    ("reason", "about", "unread"),
    [
        ("UnreadableFolder", "Folder /somewhere", {""}),
        ("UnreadableFile", "File a.yaml", {""}),
        ("InvalidYaml", "File a.yaml", {""}),
        ("InvalidObject", "Secret ns/a", {"Secret ns/a"}),
        ("InvalidObject", "Secret ns/?", {""}),
        ("DuplicateObject", "Secret ns/a", set()),
    ],
)
def test_what_a_finding_says_about_what_is_unread(reason: str, about: str, unread: set[str]) -> None:
    one = Finding(severity="error", reason=reason, object=about, field="", message="")
    assert unread_in([one]) == unread


async def test_a_watcher_that_fails_is_not_waited_for_in_silence(
    source: FolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(folder_module, "watch_folder", fail)
    with pytest.raises(ValueError, match="a bug"):
        async with asyncio.timeout(5), aclosing(source.watch()) as ticks:
            async for _ in ticks:
                pass
