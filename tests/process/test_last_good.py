from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entryproxy import tasks
from entryproxy.model import codec
from entryproxy.model.certificate import Certificate
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Change, Snapshot
from entryproxy.model.tenant import GatewayEndpoint, GatewayService, Limits, Platform, Tenant, Timeouts
from entryproxy.process import last_good
from entryproxy.process.channel import frame
from entryproxy.process.last_good import FILE_NAME, LastGoodError, LastGoodFile, frames_of, parse, read, write

KEY = b"-----BEGIN PRIVATE KEY-----\nnobody may see this\n"
AGREED_AT = 1_790_000_000.25


def certificate(owner: str, name: str) -> Certificate:
    return Certificate(
        owner=owner,
        source=f"ns/{owner}",
        names=(name,),
        not_before=1.0,
        not_after=2.0,
        fingerprint="f",
        chain_pem=b"chain",
        key_pem=PrivateBytes(KEY),
    )


PLATFORM = Platform(
    system_domain="aigw.example.com",
    unknown_sni="default",
    trusted_proxies=("10.0.0.0/8",),
    certificates=(certificate("system", "*.aigw.example.com"),),
    source="ns/platform",
)
TENANT = Tenant(
    id="a",
    domains=("x.org", "*.y.org"),
    gateway_addresses=("g.ns.svc:80",),
    gateway_service=GatewayService("ns", "g", "http"),
    gateway_endpoints=(GatewayEndpoint(address="[::1]:80", zone="z", for_zones=("z", "y"), draining=True),),
    limits=Limits(connections=3),
    timeouts=Timeouts(idle=1.5),
    certificates=(certificate("a", "x.org"),),
    source="ns/a",
    budget_slot=4,
)
NOBODY = Snapshot.build(PLATFORM)
ONE = Snapshot.build(PLATFORM, [TENANT])


def many(count: int, name: str = "t") -> Snapshot:
    return Snapshot.build(PLATFORM, [Tenant(id=f"{name}{number}", gateway_addresses=()) for number in range(count)])


def content(snapshot: Snapshot) -> bytes:
    return b"".join(frames_of(snapshot))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good one."""
    path = tmp_path / FILE_NAME
    path.touch(0o600)
    path.write_bytes(content(ONE))
    return path


class TestContent:
    """Frames."""

    @pytest.mark.parametrize("snapshot", [NOBODY, ONE, many(128), many(129), many(1000)])
    def test_what_was_written_is_read(self, snapshot: Snapshot) -> None:
        whole = content(snapshot)
        for pieces in ([whole], [whole[at : at + 7] for at in range(0, len(whole), 7)]):
            found = parse(pieces, generation=7)
            assert (found.platform, dict(found.tenants)) == (snapshot.platform, dict(snapshot.tenants))
            assert found.generation == 7

    def test_keys_come_back(self) -> None:
        found = parse([content(ONE)], generation=1)
        (one,) = found.tenants["a"].certificates
        assert one.key_pem.reveal() == KEY

    def test_a_frame_holds_a_part_of_the_tenants(self) -> None:
        assert len(list(frames_of(many(1000)))) == 2 + -(-1000 // last_good.TENANTS_PER_FRAME)

    @pytest.mark.parametrize("snapshot", [NOBODY, ONE, many(200)])
    def test_one_cut_short_anywhere_is_refused(self, snapshot: Snapshot) -> None:
        whole = content(snapshot)
        for length in range(0, len(whole), max(1, len(whole) // 500)):
            with pytest.raises(LastGoodError) as refused:
                parse([whole[:length]], generation=1)
            assert KEY.decode() not in str(refused.value)

    @pytest.mark.parametrize(
        "garbage",
        [
            b"\0" * 100,
            b"\xff" * 100,
            bytes(range(256)),
            b"kind: ConfigMap\n",
            content(ONE)[1:],
            frame(KEY),
            frame(codec.encode(Change(generation=1))) + content(ONE),
        ],
    )
    def test_garbage_is_refused(self, garbage: bytes) -> None:
        with pytest.raises(LastGoodError) as refused:
            parse([garbage], generation=1)
        assert "nobody may see this" not in f"{refused.value!r} {refused.value.__cause__!r}"

    @pytest.mark.parametrize("header", [{"format": 2}, {"tenants": 2}, {"tenants": 0}])
    def test_another_version_and_a_wrong_count_are_refused(self, header: dict[str, int]) -> None:
        first, *rest = frames_of(ONE)
        fields = {"format": last_good.FORMAT, "tenants": 1, **header}
        changed = frame(codec.encode(last_good.Header(**fields)))
        assert parse([first, *rest], generation=1)
        with pytest.raises(LastGoodError, match="another version, or cut short"):
            parse([changed, *rest], generation=1)


class TestRead:
    """A file that somebody left there."""

    def test_a_good_one(self, file: Path) -> None:
        os.utime(file, (1.0, AGREED_AT))
        found = read(file.parent, generation=1)
        assert found is not None
        assert (dict(found[0].tenants), found[1]) == ({"a": TENANT}, AGREED_AT)

    def test_none(self, tmp_path: Path) -> None:
        assert read(tmp_path, generation=1) is None
        assert read(tmp_path / "nowhere", generation=1) is None

    @pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o610, 0o666])
    def test_one_that_others_may_touch_is_refused(self, file: Path, mode: int) -> None:
        file.chmod(mode)
        with pytest.raises(LastGoodError, match="others than its owner"):
            read(file.parent, generation=1)

    def test_somebody_elses_is_refused(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
        with pytest.raises(LastGoodError, match="others than its owner"):
            read(file.parent, generation=1)

    def test_a_link_is_refused(self, file: Path) -> None:
        file.rename(file.with_name("target"))
        file.symlink_to("target")
        with pytest.raises(LastGoodError):
            read(file.parent, generation=1)

    def test_a_pipe_and_a_folder_are_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / FILE_NAME, 0o600)
        with pytest.raises(LastGoodError, match="not a file"):
            read(tmp_path, generation=1)
        (tmp_path / FILE_NAME).unlink()
        (tmp_path / FILE_NAME).mkdir(0o700)
        with pytest.raises(LastGoodError):
            read(tmp_path, generation=1)

    def test_a_huge_one_is_refused(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(last_good, "FILE_BYTES_MAX", file.stat().st_size - 1)
        with pytest.raises(LastGoodError, match="too large"):
            read(file.parent, generation=1)


class TestWrite:
    """One file, replaced in one step."""

    @pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
    def umask(self, request: pytest.FixtureRequest) -> Iterator[None]:
        before = os.umask(request.param)
        yield
        os.umask(before)

    @pytest.mark.usefixtures("umask")
    async def test_its_mode_whatever_the_umask(self, tmp_path: Path) -> None:
        await write(tmp_path, ONE, AGREED_AT)
        (made,) = tmp_path.iterdir()
        assert (made.name, stat.S_IMODE(made.stat().st_mode)) == (FILE_NAME, 0o600)
        assert read(tmp_path, generation=1) is not None

    async def test_whatever_was_there_is_replaced(self, file: Path) -> None:
        """What a killed process left behind, a file with another mode, a link that leads elsewhere."""
        elsewhere = file.parent / "elsewhere"
        elsewhere.write_text("not ours")
        file.chmod(0o666)
        partial = file.parent / f".{FILE_NAME}.partial"
        partial.symlink_to(elsewhere)
        await write(file.parent, many(3), AGREED_AT)
        found = read(file.parent, generation=1)
        assert found is not None
        assert len(found[0].tenants) == 3
        assert elsewhere.read_text() == "not ours"
        assert {one.name for one in file.parent.iterdir()} == {FILE_NAME, "elsewhere"}

    async def test_a_reader_never_sees_half_of_it(self, file: Path) -> None:
        writing = asyncio.get_running_loop().create_task(write(file.parent, many(2_000), AGREED_AT))
        sizes = set()
        while not writing.done():
            found = read(file.parent, generation=1)
            assert found is not None
            sizes.add(len(found[0].tenants))
            await asyncio.sleep(0)
        assert sizes == {1}
        assert len(read(file.parent, generation=1)[0].tenants) == 2_000  # type: ignore[index]

    async def test_one_that_is_given_up_leaves_nothing_but_the_old_one(self, file: Path) -> None:
        before = file.read_bytes()
        writing = asyncio.get_running_loop().create_task(write(file.parent, many(2_000), AGREED_AT))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (file.parent / f".{FILE_NAME}.partial").exists()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert list(file.parent.iterdir()) == [file]
        assert file.read_bytes() == before


class TestFollow:
    """In the background."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(last_good, "WRITE_SECONDS_MIN", 0.01)
        monkeypatch.setattr(last_good, "TOUCH_SECONDS", 0.01)

    @pytest.fixture
    def written(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many tenants each file that was written has."""
        counts: list[int] = []

        async def spy(folder: Path, snapshot: Snapshot, agreed_at: float) -> None:
            await write(folder, snapshot, agreed_at)
            counts.append(len(snapshot.tenants))

        monkeypatch.setattr(last_good, "write", spy)
        return counts

    async def test_the_newest_is_written_and_what_came_between_is_skipped(
        self, tmp_path: Path, written: list[int]
    ) -> None:
        file = LastGoodFile(tmp_path, lambda: AGREED_AT)
        file.start()
        for count in range(50):
            file.keep(many(count))
        await until(lambda: written != [])
        for count in range(50, 100):
            file.keep(many(count))
        await until(lambda: len(written) >= 2)
        await tasks.cancel_all()
        assert written == [49, 99]
        found = read(tmp_path, generation=1)
        assert found is not None
        assert (len(found[0].tenants), found[1]) == (99, AGREED_AT)

    async def test_while_nothing_changes_only_its_time_is_kept_up(self, tmp_path: Path, written: list[int]) -> None:
        now = [AGREED_AT]
        file = LastGoodFile(tmp_path, lambda: now[0])
        file.start()
        file.keep(ONE)
        await until(lambda: written == [1])
        for _ in range(3):
            now[0] += 60.0
            file.keep(ONE)
            await until(lambda: (tmp_path / FILE_NAME).stat().st_mtime == now[0])
        (tmp_path / FILE_NAME).unlink()
        await until(lambda: len(written) == 2)
        await tasks.cancel_all()
        assert written == [1, 1]
        assert read(tmp_path, generation=1) is not None

    async def test_what_never_agreed_with_the_source_is_not_written(self, tmp_path: Path, written: list[int]) -> None:
        agreed_at: list[float | None] = [None]
        file = LastGoodFile(tmp_path, lambda: agreed_at[0])
        file.start()
        file.keep(ONE)
        await asyncio.sleep(0.1)
        assert written == []
        agreed_at[0] = AGREED_AT
        await until(lambda: written == [1])
        await tasks.cancel_all()

    async def test_a_folder_that_cannot_be_written_is_told_once_and_tried_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = tmp_path / "later"
        file = LastGoodFile(folder, lambda: AGREED_AT)
        file.start()
        file.keep(ONE)
        await until(lambda: file.problem is not None)
        assert file.problem is not None
        assert file.problem.reason == "StateNotKept"
        assert "No such file or directory" in str(file.problem)
        await asyncio.sleep(0.1)
        assert errors(caplog) == [f"the last good configuration was not written to {folder}: No such file or directory"]
        folder.mkdir()
        await until(lambda: file.problem is None)
        assert read(folder, generation=1) is not None
        (folder / FILE_NAME).unlink()
        folder.rmdir()
        file.keep(NOBODY)
        await until(lambda: len(errors(caplog)) == 2)
        await tasks.cancel_all()

    async def test_whatever_else_goes_wrong_is_told_without_what_it_was_about(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def stumble(folder: Path, snapshot: Snapshot, agreed_at: float) -> None:
            raise ValueError(snapshot.tenants["a"])

        monkeypatch.setattr(last_good, "write", stumble)
        file = LastGoodFile(tmp_path, lambda: AGREED_AT)
        file.start()
        file.keep(ONE)
        await until(lambda: file.problem is not None)
        assert "ValueError" in str(file.problem)
        monkeypatch.undo()
        await until(lambda: file.problem is None, 10)
        await tasks.cancel_all()
        assert "nobody may see this" not in caplog.text

    async def test_a_write_that_the_end_interrupts_leaves_nothing_half(self, tmp_path: Path) -> None:
        file = LastGoodFile(tmp_path, lambda: AGREED_AT)
        file.start()
        file.keep(many(2_000))
        partial = tmp_path / f".{FILE_NAME}.partial"
        await until(partial.exists)
        await tasks.cancel_all()
        assert list(tmp_path.iterdir()) in ([], [tmp_path / FILE_NAME])


class TestStart:
    """What a new process finds."""

    def test_a_good_one_is_told_with_its_time(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        os.utime(file, (AGREED_AT, AGREED_AT))
        found = LastGoodFile(file.parent, lambda: None).read()
        assert found is not None
        assert (dict(found[0].tenants), found[1]) == ({"a": TENANT}, AGREED_AT)
        assert "serving the last good configuration of 2026-09-21T14:13:20Z" in caplog.text

    def test_a_bad_one_is_as_good_as_none_but_told(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        file.write_bytes(content(ONE)[:-1])
        assert LastGoodFile(file.parent, lambda: None).read() is None
        assert errors(caplog) == [
            f"the last good configuration in {file.parent} is not used: written by another version, or cut short"
        ]

    def test_none_is_not_worth_a_word(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        assert LastGoodFile(tmp_path, lambda: None).read() is None
        assert caplog.text == ""


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0)
