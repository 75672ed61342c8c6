"""Outside programs that tests drive: where they are, and how those that Go can build are built.

`find` looks in KUBEBUILDER_ASSETS, on PATH, and among what `build` put into the user's cache. The go.mod beside this
file pins the sources: Kubernetes with its staging modules, etcd, and a Helm that shares their client-go.
`python -m tests.tools` builds what is missing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

from tests.tools.building import BUILT, BuildError, build, cache_folder

__all__ = ["BUILT", "ensure", "find"]


def find(name: str) -> str | None:
    """The path of program `name`, None when it isn't here."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for place in (assets, os.environ.get("PATH", os.defpath), str(cache_folder())):
        if place and (path := shutil.which(name, path=place)):
            return path
    return None


def ensure(say: Callable[[str], object]) -> bool:
    """Build what can be built and is not to be found; whether all of it is here now. `say` gets lines for people."""
    absent = [name for name in BUILT if find(name) is None]
    if not absent:
        return True
    names = ", ".join(absent)
    say(f"building {names} with Go: once, about 5 minutes on two cores")
    started = time.monotonic()
    try:
        build(absent)
    except BuildError as error:
        say(f"could not build {names}, what needs them will NOT be tested: {error}")
        return False
    say(f"built {names} in {time.monotonic() - started:.0f} s")
    return True
