from __future__ import annotations

import gzip
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.controller.helm import chart_archive
from entryproxy.controller.helm.chart import ChartError
from entryproxy.controller.helm.chart_archive import contents_digest, unpack
from tests.controller.helm.chart_sources import packed, packed_members

FILES = {"Chart.yaml": "name: tiny", "crds/a.yaml": "a", "charts/sub/values.yaml": "b: 1"}
NAMES = st.text("abc/.", min_size=1, max_size=6)


def test_files_below_the_charts_folder() -> None:
    assert unpack(packed(FILES)) == {name: text.encode() for name, text in FILES.items()}


def test_a_byte_order_mark_is_dropped_as_helm_does() -> None:
    assert unpack(packed({"values.yaml": b"\xef\xbb\xbfa: 1"})) == {"values.yaml": b"a: 1"}


def test_folders_of_their_own_are_nothing() -> None:
    folder = tarfile.TarInfo("tiny")
    folder.type = tarfile.DIRTYPE
    assert unpack(packed_members([(folder, b""), (tarfile.TarInfo("tiny/a"), b"1")])) == {"a": b"1"}


def test_a_leading_dot_as_tar_writes_it() -> None:
    assert unpack(packed({"a": "1"}, folder="./tiny")) == {"a": b"1"}


@pytest.mark.parametrize(
    "name",
    [
        "Chart.yaml",
        "/etc/passwd",
        "tiny/../../a",
        "../tiny/a",
        "tiny/./a",
        "tiny//a",
        "tiny\\a",
        "tiny/a\\..\\b",
        "a/..",
    ],
)
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(ChartError, match="not a name inside one folder"):
        unpack(packed_members([(tarfile.TarInfo(name), b"x")]))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_what_is_no_plain_file(kind: bytes) -> None:
    member = tarfile.TarInfo("tiny/a")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(ChartError, match="'tiny/a' that is not a plain file"):
        unpack(packed_members([(member, b"")]))


def test_a_plain_file_that_its_extended_header_makes_sparse() -> None:
    member = tarfile.TarInfo("tiny/a")
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000"}
    with pytest.raises(ChartError, match="'tiny/a' that is not a plain file"):
        unpack(packed_members([(member, b"x")]))


def test_a_name_twice() -> None:
    with pytest.raises(ChartError, match="'a' twice"):
        unpack(packed_members([(tarfile.TarInfo("one/a"), b"1"), (tarfile.TarInfo("two/a"), b"2")]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not at all",
        gzip.compress(b"no tar file, yet as long as the first block would be" * 20),
        packed(FILES)[:-9],
        packed(FILES) + packed(FILES),
        packed(FILES) + b"more",
        packed(FILES)[:40] + b"\0" + packed(FILES)[41:],
    ],
    ids=["nothing", "text", "no tar", "torn", "two", "more", "damaged"],
)
def test_what_is_no_packed_chart(data: bytes) -> None:
    with pytest.raises(ChartError, match="not a packed chart"):
        unpack(data)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("ARCHIVE_BYTES_MAX", 100, "the packed chart is larger than 100 bytes"),
        ("UNPACKED_BYTES_MAX", 2000, "larger than 2000 bytes when unpacked"),
        ("FILE_BYTES_MAX", 5, "'tiny/Chart.yaml' larger than 5 bytes"),
        ("MEMBERS_MAX", 2, "more than 2 members"),
    ],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str) -> None:
    monkeypatch.setattr(chart_archive, limit, value)
    with pytest.raises(ChartError, match=message):
        unpack(packed(FILES))


def test_much_out_of_little_ends_at_the_limit() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    assert len(bomb) < chart_archive.ARCHIVE_BYTES_MAX
    with pytest.raises(ChartError, match="when unpacked"):
        unpack(bomb)


@given(st.lists(st.tuples(NAMES, st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE])), max_size=4))
def test_whatever_comes_out_is_inside(members: list[tuple[str, bytes]]) -> None:
    made = []
    for name, kind in members:
        member = tarfile.TarInfo(name)
        member.type = kind
        made.append((member, b""))
    try:
        names = unpack(packed_members(made))
    except ChartError:
        return
    assert not any(name.startswith("/") or ".." in name.split("/") or not name for name in names)


def test_the_digest_is_of_what_is_inside() -> None:
    digest = contents_digest(unpack(packed(FILES, time=1)))
    assert digest == contents_digest(unpack(packed(dict(reversed(FILES.items())), time=2, folder="other")))
    assert len(digest) == 64
    for changed in ({**FILES, "crds/a.yaml": "b"}, {**FILES, "x": ""}, {"Chart.yaml": "name: tiny"}):
        assert digest != contents_digest(unpack(packed(changed)))


def test_no_two_sets_of_files_look_alike_to_the_digest() -> None:
    assert contents_digest({"a": b"b"}) != contents_digest({"ab": b""})
    assert contents_digest({"a": b"", "b": b""}) != contents_digest({"a": b"0 1\nb"})
