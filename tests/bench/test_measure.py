"""CPU accounting of process trees, from the text of /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure import (
    CpuUse,
    Memory,
    Stat,
    cpu_between,
    descendants,
    parse_memory,
    parse_stat,
    pin,
    pss_kilobytes,
    tree,
)


def stat_line(pid: int, command: str, parent: int, user: int, system: int, started: int) -> str:
    fields = ["S", parent, 1, 1, 0, -1, 4194560, 100, 0, 0, 0, user, system, 7_000, 7_000, 20, 0, 1, 0, started, 1, 1]
    return f"{pid} ({command}) " + " ".join(map(str, fields))


@pytest.mark.parametrize("command", ["nginx", "a b", "odd) S 99 (name", ")"])
def test_a_stat_line_is_read_from_behind_the_command(command: str) -> None:
    stat = parse_stat(stat_line(42, command, 7, 150, 50, 999), ticks_per_second=100)
    assert stat == Stat(pid=42, parent=7, started_ticks=999, cpu_seconds=2.0)


def test_time_of_ended_children_is_not_counted_twice() -> None:
    assert parse_stat(stat_line(1, "x", 0, 0, 0, 5), ticks_per_second=100).cpu_seconds == 0.0


def test_descendants_leave_other_trees_out_whatever_the_order() -> None:
    stats = [Stat(pid, parent, 0, 0.0) for pid, parent in [(5, 4), (9, 1), (4, 2), (2, 1), (3, 2), (1, 0)]]
    assert sorted(stat.pid for stat in descendants(2, stats)) == [2, 3, 4, 5]
    assert descendants(77, stats) == []


def test_cpu_of_a_tree_is_the_sum_and_the_busiest() -> None:
    before = {(1, 10): Stat(1, 0, 10, 1.0), (2, 11): Stat(2, 1, 11, 5.0)}
    after = {(1, 10): Stat(1, 0, 10, 1.5), (2, 11): Stat(2, 1, 11, 8.0), (3, 50): Stat(3, 1, 50, 0.25)}
    assert cpu_between(before, after) == CpuUse(total=3.75, busiest=3.0)


def test_a_reused_pid_is_another_process() -> None:
    before = {(2, 11): Stat(2, 1, 11, 5.0)}
    after = {(2, 90): Stat(2, 1, 90, 0.5)}
    assert cpu_between(before, after) == CpuUse(total=0.5, busiest=0.5)


def test_an_empty_tree_used_nothing() -> None:
    assert cpu_between({}, {}) == CpuUse(total=0.0, busiest=0.0)


def test_pss_is_the_line_of_that_name() -> None:
    assert parse_memory("Rss:    5000 kB\nPss:    1234 kB\nPss_Anon:  900 kB\n") == Memory(rss=5000, pss=1234)
    assert parse_memory("") == Memory(0, 0)


def test_this_process_has_a_tree_and_memory() -> None:
    assert os.getpid() in {pid for pid, _ in tree(os.getpid())}
    assert pss_kilobytes(os.getpid()) > 1_000


def test_a_tree_is_pinned_whole() -> None:
    script = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); print(flush=True)"
    core = max(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            pin(child.pid, core)
            threads = [int(one.name) for one in Path(f"/proc/{child.pid}/task").iterdir()]
            assert [os.sched_getaffinity(one) for one in threads] == [{core}] * 2
        finally:
            child.kill()
