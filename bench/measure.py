"""CPU time and memory of a process and its descendants, from /proc (proc(5))."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclasses.dataclass(frozen=True, slots=True)
class Stat:
    """What we read of /proc/PID/stat. cpu_seconds is user plus system time of all threads, without that of children."""

    pid: int
    parent: int
    started_ticks: int
    cpu_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU seconds between two readings: of the whole tree, and of the one process that used most (the worker)."""

    total: float
    busiest: float


def parse_stat(text: str, ticks_per_second: int = _TICKS_PER_SECOND) -> Stat:
    """One line of /proc/PID/stat. The command may contain blanks and parentheses: fields count from the last ")"."""
    pid = int(text.partition(" ")[0])
    fields = text.rpartition(")")[2].split()
    return Stat(pid, int(fields[1]), int(fields[19]), (int(fields[11]) + int(fields[12])) / ticks_per_second)


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in KB. rss counts shared pages in full, pss its share of them."""

    rss: int
    pss: int


def descendants(root: int, stats: Iterable[Stat]) -> list[Stat]:
    """`root` and everything below it."""
    children: dict[int, list[Stat]] = {}
    found = []
    for stat in stats:
        children.setdefault(stat.parent, []).append(stat)
        if stat.pid == root:
            found.append(stat)
    for stat in found:  # grows while we walk it
        found.extend(children.get(stat.pid, ()))
    return found


def tree(root: int) -> dict[tuple[int, int], Stat]:
    """The living process tree under `root`, by (pid, start time): a pid alone may be reused."""
    return {(stat.pid, stat.started_ticks): stat for stat in descendants(root, _all_stats())}


def cpu_between(before: Mapping[tuple[int, int], Stat], after: Mapping[tuple[int, int], Stat]) -> CpuUse:
    """CPU time used between two readings of the same tree. A process that came in between counts from zero."""
    used = [stat.cpu_seconds - (before[key].cpu_seconds if key in before else 0.0) for key, stat in after.items()]
    return CpuUse(sum(used), max(used, default=0.0))


def cpu_seconds(pid: int) -> float:
    """That a living process has used so far, without its children."""
    return parse_stat((_PROC / str(pid) / "stat").read_text()).cpu_seconds


def pin(root: int, core: int) -> None:
    """Every thread of the living process tree under `root` to one core; what it starts from now on inherits that."""
    for stat in tree(root).values():
        for thread in (_PROC / str(stat.pid) / "task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def memory_kilobytes_of_each(root: int) -> list[Memory]:
    """Of every process of the tree, the largest first."""
    found = [_memory(stat.pid) for stat in descendants(root, _all_stats())]
    return sorted(found, key=lambda one: one.pss, reverse=True)


def pss_kilobytes(root: int) -> int:
    """Proportional set size of the tree: pages shared between its processes count once."""
    return sum(pss_kilobytes_of_each(root))


def pss_kilobytes_of_each(root: int) -> list[int]:
    """Proportional set size of every process of the tree, the largest first."""
    return [one.pss for one in memory_kilobytes_of_each(root)]


def parse_memory(text: str) -> Memory:
    """/proc/PID/smaps_rollup; zeros for a process without memory (a zombie)."""
    sizes = {line.split(":")[0]: line.split()[1] for line in text.splitlines() if line.startswith(("Rss:", "Pss:"))}
    return Memory(int(sizes.get("Rss", 0)), int(sizes.get("Pss", 0)))


def _memory(pid: int) -> Memory:
    try:
        return parse_memory((_PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:
        return Memory(0, 0)


def _all_stats() -> list[Stat]:
    stats = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                stats.append(parse_stat((entry / "stat").read_text()))
            except OSError:  # it ended while we looked
                continue
    return stats
