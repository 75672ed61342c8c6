"""Run as a script: `leash.py PARENT PROGRAM ARGUMENT…` becomes PROGRAM, which dies with the thread that started it.

A hook between fork and exec would do the same without another start of Python (some 15 ms), but it is Python code in a
copy of a process with threads, whose locks nobody releases there.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; kept across exec
_NOT_STARTED = 127  # as shells do


def main(parent: int, argv: list[str]) -> int:
    """Returns only if the program can't be started, with the status to exit with."""
    if reason := die_with(parent):
        return _refuse(reason)
    try:
        os.execv(argv[0], argv)  # noqa: S606 – there is no shell to need
    except OSError as error:
        return _refuse(f"{argv[0]}: {error.strerror}")


def die_with(parent: int) -> str:
    """From now on this process is killed when its parent ends; why not, if it can't be, else "". parent: its id."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return f"prctl: {os.strerror(ctypes.get_errno())}"
    if os.getppid() != parent:  # it ended before we asked to be told
        return "whoever started this has ended"
    return ""


def _refuse(reason: str) -> int:
    sys.stderr.write(f"Error: cannot start: {reason}\n")
    return _NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
