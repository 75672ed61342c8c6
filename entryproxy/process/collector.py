"""The garbage collector, kept away from what is going to stay: a configuration is hundreds of thousands of objects."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

BULK_TENANTS = 1_000
"""From so many on it is worth it."""


def pause() -> None:
    """A process begins: nearly all that it makes until `resume` is going to stay."""
    gc.disable()


def resume() -> None:
    """After a pause: what lives now lives long, and the collector need not walk it again and again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def bulk(size: int) -> Iterator[None]:
    """Make `size` tenants inside; when they are many, the collector neither interrupts nor ever walks them again.

    Reference counts still free them. At ten thousand tenants a full collection is a pause of more than 100 ms.
    """
    if size < BULK_TENANTS or not gc.isenabled():
        yield
        return
    pause()
    try:
        yield
    finally:
        resume()
