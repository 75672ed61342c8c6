from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from entryproxy.process import priority
from entryproxy.process.priority import CONTROL_NICE, SLICE_NANOSECONDS


def ask(code: str) -> str:
    """What a process says that has only just begun; this one must stay as it is."""
    command = [sys.executable, "-c", f"import os; from entryproxy.process.priority import *; {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_control_process_gives_way() -> None:
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    said = ask("step_back(); print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))")
    assert said == f"{min(nice + CONTROL_NICE, 19)} {os.SCHED_BATCH}"


def test_workers_get_short_slices_and_keep_their_share() -> None:
    told = "open('/proc/self/sched').read().replace(' ', '')"
    said = ask(f"print(ask_for_short_slices(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), {told})")
    assert said.startswith(f"True {os.getpriority(os.PRIO_PROCESS, 0)} {os.SCHED_OTHER} ")
    if _kernel() >= (6, 12):
        assert f"se.slice:{SLICE_NANOSECONDS}\n" in said


def test_an_unknown_machine_is_left_alone() -> None:
    code = "import platform; platform.machine = lambda: 'pdp11'; print(ask_for_short_slices())"
    assert ask(code) == "False"


def test_the_numbers_are_the_kernels() -> None:
    """Where the headers of this machine's kernel are installed."""
    for header in Path("/usr/include").glob("*/asm/unistd_64.h"):
        assert f"__NR_sched_setattr {priority._SCHED_SETATTR['x86_64']}\n" in header.read_text()


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
