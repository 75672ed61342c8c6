"""Who goes first when there are fewer cores than there is work: requests go before the configuration.

A storm of changes keeps the control process busy for milliseconds at a time. Where it shares a core with a worker, how
long a request waits for it is the scheduler's to decide, so the scheduler is told (figures in docs/performance.md). A
worker that is never idle still leaves the control process a share; outside the pod nothing changes.
"""

from __future__ import annotations

import ctypes
import os
import platform

CONTROL_NICE = 15
"""About a thirtieth of a core beside a worker that is never idle."""
SLICE_NANOSECONDS = 100_000
"""The kernel's least."""
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # the numbers of the system call; the C library has no name for it


class _SchedAttr(ctypes.Structure):
    """struct sched_attr, see sched_setattr(2)."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def step_back() -> None:
    """This process gives way to its pod's workers and doesn't interrupt them when it wakes."""
    os.nice(CONTROL_NICE)
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):
        pass  # another system than Linux, or a sandbox without it; being nice does most


def ask_for_short_slices() -> bool:
    """This process runs soon after it wakes, for a short time, instead of later for longer; its share is the same.

    False where there is no such call. Kernels before 6.12 take it and do as always.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attr = _SchedAttr(ctypes.sizeof(_SchedAttr), os.SCHED_OTHER, 0, nice, 0, SLICE_NANOSECONDS)
    return bool(ctypes.CDLL(None).syscall(number, 0, ctypes.byref(attr), 0) == 0)
