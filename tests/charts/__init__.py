"""A chart of our own that has the same traps as Higress's, for tests that install many of them.

`HIGRESS_CHART` may name a folder or packed chart of the real one (higress-core), which the same tests then use.
"""

from __future__ import annotations

import os
from pathlib import Path

SMALL = Path(__file__).parent / "higress-core"
CUSTOM_RESOURCES = SMALL / "crds/customresourcedefinitions.gen.yaml"
"""WasmPlugin and McpBridge with the fields that our examples use, so that an unknown one is refused."""


def chart() -> Path:
    """The real chart where a copy is reachable, else ours."""
    return Path(os.environ.get("HIGRESS_CHART", "") or SMALL)
