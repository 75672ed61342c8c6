"""Charts that lie beside the controller: where one is, and whether it has changed since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from entryproxy.controller.helm.chart import ChartError, is_name

FILES_MAX = 10_000

Stamp = frozenset[tuple[str, int, int]]
"""Relative path, size in bytes and time of the last change in ns of every file and folder of a chart."""


def find_chart(charts_dir: Path | None, chart: str, version: str) -> Path | None:
    """The folder or packed file of a chart, with links resolved; None for what has to be fetched. Raises ChartError.

    A name may be there, a path must be; neither leads out of charts_dir, whatever it says and wherever a link points.
    """
    if chart.startswith("oci://"):
        return None
    if is_name(chart):
        return _by_name(charts_dir.resolve(), chart, version) if charts_dir is not None else None
    if charts_dir is None:
        raise ChartError(f"the chart {chart!r} is a path, but no folder of charts is configured")
    root = charts_dir.resolve()
    place = _inside(root, root / chart)
    if place is None or not _is_chart(place):
        raise ChartError(f"the folder of charts has no chart {chart!r}")
    return place


def stamp_of(place: Path) -> Stamp:
    """Equal stamps, equal contents. Raises ChartError for a folder with links: what they lead to may lie anywhere, and
    Helm would follow them."""
    if place.is_file():
        return frozenset({_line(place, "")})
    stamp = set()
    for entry in _walk(place):
        name = os.path.relpath(entry.path, place)
        if entry.is_symlink():
            raise ChartError(f"the folder of the chart has a symbolic link, {name!r}: pack the chart instead")
        stamp.add(_line(Path(entry.path), name))
        if len(stamp) > FILES_MAX:
            raise ChartError(f"the folder of the chart has more than {FILES_MAX} files")
    return frozenset(stamp)


def _by_name(root: Path, name: str, version: str) -> Path | None:
    folder = _inside(root, root / name)
    if folder is not None and (folder / "Chart.yaml").is_file():
        return folder
    for written in dict.fromkeys((version, version.removeprefix("v"))):
        packed = _inside(root, root / f"{name}-{written}.tgz")
        if packed is not None and packed.is_file():
            return packed
    return None


def _inside(root: Path, place: Path) -> Path | None:
    try:
        resolved = place.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return None
    return resolved if resolved != root and resolved.is_relative_to(root) else None


def _is_chart(place: Path) -> bool:
    return place.is_file() or (place / "Chart.yaml").is_file()


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder, without following links."""
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))


def _line(place: Path, name: str) -> tuple[str, int, int]:
    found = place.stat()
    return name, found.st_size, found.st_mtime_ns
