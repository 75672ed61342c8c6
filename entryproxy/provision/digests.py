"""Fingerprints of what is wanted: equal things have equal ones, whatever order their keys were written in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

DIGEST_ANNOTATION = "entryproxy.higress.io/digest"
"""On objects that we apply: of the manifest."""
DIGEST_LABEL = DIGEST_ANNOTATION
"""On a release's Secrets, from a revision's first write on: of the DesiredRelease that it was made for."""
LABEL_VALUE_LENGTH_MAX = 63


def canonical_digest(value: Any) -> str:
    """SHA-256 over the value's JSON with its keys sorted; 63 hexadecimal digits, so that it fits a label's value."""
    canonical = msgspec.json.encode(value, order="deterministic")
    return hashlib.sha256(canonical).hexdigest()[:LABEL_VALUE_LENGTH_MAX]


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Of a manifest as it was written, for an annotation of its own, which doesn't count."""
    metadata = dict(manifest["metadata"])
    metadata["annotations"] = {
        key: value for key, value in metadata.get("annotations", {}).items() if key != DIGEST_ANNOTATION
    }
    return canonical_digest({**manifest, "metadata": metadata})
