from __future__ import annotations

import os
from pathlib import Path

import pytest

from entryproxy.controller.helm import chart_folder
from entryproxy.controller.helm.chart import ChartError
from entryproxy.controller.helm.chart_folder import find_chart, stamp_of
from tests.controller.helm.chart_sources import METADATA, write_chart


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """A folder of charts, with something beside it that nobody may reach."""
    root = tmp_path / "charts"
    write_chart(root / "tiny", {"Chart.yaml": METADATA, "templates/a.yaml": ""})
    write_chart(root / "more/deep", {"Chart.yaml": METADATA})
    (root / "other-1.0.0.tgz").write_bytes(b"x")
    (root / "empty").mkdir()
    write_chart(tmp_path / "secret", {"Chart.yaml": METADATA})
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "linked-1.0.0.tgz").symlink_to("/etc/passwd")
    (root / "alias").symlink_to("tiny")
    (root / "circle").symlink_to("circle")
    return root


@pytest.mark.parametrize(
    ("chart", "version", "expected"),
    [
        ("tiny", "1.0.0", "tiny"),
        ("alias", "1.0.0", "tiny"),
        ("other", "1.0.0", "other-1.0.0.tgz"),
        ("other", "v1.0.0", "other-1.0.0.tgz"),
        ("other", "1.0.1", None),
        ("empty", "1.0.0", None),
        ("nowhere", "1.0.0", None),
        ("link", "1.0.0", None),
        ("linked", "1.0.0", None),
        ("circle", "1.0.0", None),
        ("oci://example.com/tiny", "1.0.0", None),
        ("./tiny", "1.0.0", "tiny"),
        ("more/deep", "1.0.0", "more/deep"),
        ("more/../tiny", "1.0.0", "tiny"),
        ("other-1.0.0.tgz", "1.0.0", "other-1.0.0.tgz"),
    ],
)
def test_where_charts_are(charts: Path, chart: str, version: str, expected: str | None) -> None:
    assert find_chart(charts, chart, version) == (charts / expected if expected else None)


@pytest.mark.parametrize(
    "chart",
    [
        "../secret",
        "./link",
        "link/",
        "./circle",
        "/etc/passwd",
        "./linked-1.0.0.tgz",
        ".",
        "..",
        "./",
        "./empty",
        "tiny/../../secret",
        "no/where",
        "no.tgz",
        "tiny/templates",
    ],
)
def test_paths_that_lead_to_no_chart_of_the_folder(charts: Path, chart: str) -> None:
    with pytest.raises(ChartError, match="the folder of charts has no chart") as raised:
        find_chart(charts, chart, "1.0.0")
    assert not raised.value.is_transient


def test_an_absolute_path_below_the_folder_is_inside(charts: Path) -> None:
    assert find_chart(charts, str(charts / "tiny"), "1.0.0") == charts / "tiny"


def test_the_folder_itself_may_be_a_link(charts: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(charts)
    assert find_chart(tmp_path / "current", "tiny", "1.0.0") == charts / "tiny"


def test_without_a_folder() -> None:
    assert find_chart(None, "tiny", "1.0.0") is None
    with pytest.raises(ChartError, match=r"'\./tiny' is a path, but no folder of charts is configured"):
        find_chart(None, "./tiny", "1.0.0")


def test_stamps_change_with_the_folder(charts: Path) -> None:
    folder = charts / "tiny"
    stamps = [stamp_of(folder), stamp_of(folder)]
    assert stamps[0] == stamps[1]
    (folder / "templates/a.yaml").write_text("longer")
    stamps.append(stamp_of(folder))
    os.utime(folder / "Chart.yaml", ns=(1, 1))
    stamps.append(stamp_of(folder))
    (folder / "templates/b.yaml").write_text("")
    stamps.append(stamp_of(folder))
    (folder / "templates/b.yaml").unlink()
    (folder / "templates/a.yaml").rename(folder / "templates/c.yaml")
    stamps.append(stamp_of(folder))
    assert len(set(stamps)) == 5


def test_stamps_change_with_a_file(charts: Path) -> None:
    file = charts / "other-1.0.0.tgz"
    before = stamp_of(file)
    os.utime(file, ns=(1, 1))
    assert stamp_of(file) != before


def test_links_in_a_folder_are_refused(charts: Path) -> None:
    (charts / "tiny/templates/passwd").symlink_to("/etc/passwd")
    with pytest.raises(ChartError, match="symbolic link, 'templates/passwd'"):
        stamp_of(charts / "tiny")


def test_too_many_files(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_folder, "FILES_MAX", 2)
    with pytest.raises(ChartError, match="more than 2 files"):
        stamp_of(charts / "tiny")
