"""What tests of child processes share: programs in Python, and whether a process still runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def program(text: str, *arguments: str) -> list[str]:
    """The command line of a small program."""
    return [sys.executable, "-I", "-S", "-c", text, *arguments]


def is_running(pid: int) -> bool:
    """A process that ended may still wait for its parent to look."""
    return _stat(pid)[0] not in ("", "Z", "X")


def children() -> set[int]:
    """Of this process, the ended ones that nobody reaped among them."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return {pid for pid in pids if _stat(pid)[1] == str(os.getpid())}


def _stat(pid: int) -> tuple[str, str]:
    """State and parent."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    return state, parent
