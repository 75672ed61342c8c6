"""What Helm runs between rendering and applying: a plugin's folder, with `plugin.yaml`, and the program that it names.

The manifests go through `provision.narrowing`. Helm swallows what a plugin prints on standard error, so the reason of a
refusal goes through a file.
"""

from __future__ import annotations

from pathlib import PurePath

import msgspec

from entryproxy.provision.state import Rendering

PLUGIN = "entryproxy-postrender"
"""Its name in `plugin.yaml`."""
PLUGINS_FOLDER = PurePath(__file__).parent.parent
"""For HELM_PLUGINS: Helm looks for plugins in the folders that are directly below."""
PYTHON_VARIABLE = "ENTRYPROXY_PYTHON"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The program's one argument, as JSON. namespace: the release's. refusal_file: in a private folder; written only
    when the release is refused."""

    namespace: str
    rendering: Rendering
    refusal_file: str
