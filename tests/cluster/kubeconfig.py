"""Files that say how to reach an API server, and as whom."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def write_secret_file(path: Path, text: str) -> None:
    """Write for the owner's eyes only, in one step: a reader sees the old text or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.rename(path)


def write_kubeconfig(path: Path, url: str, ca: Path, user: Mapping[str, str], namespace: str = "default") -> Path:
    """A kubeconfig (JSON, which is YAML) with one context.

    user: its fields, such as `token`, `tokenFile`, or `client-certificate` with `client-key`.
    """
    cluster = {"server": url, "certificate-authority": str(ca)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}],
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": dict(user)}],
    }
    write_secret_file(path, json.dumps(document, indent=2))
    return path
