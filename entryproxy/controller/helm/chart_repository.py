"""Pure: the HTTP repository that charts with a plain name come from, its configuration and its index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from entryproxy.controller.helm.chart import ChartError, is_same_version

INDEX_CHARACTERS_MAX = 8 * 1024 * 1024
_SHOWN_MAX = 5


def public_url(url: str) -> str:
    """Without a user and a password: for messages and for Helm's command line."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def repositories_file(name: str, url: str) -> str:
    """Helm's repositories.yaml with this one repository, in which credentials of its URL are fields of their own."""
    parts = urlsplit(url)
    entry = {"name": name, "url": public_url(url)}
    if parts.username:
        entry |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return json.dumps({"apiVersion": "v1", "repositories": [entry]})


def index_digest(index: object, name: str, version: str) -> str:
    """The SHA-256 in hex that an index (its parsed document) says of one packed chart, "" where it says none. Raises
    ChartError when there is no such chart or version.

    An exact version stands before one that differs by a "v" in front, as it does for Helm.
    """
    entries = list(_entries(index, name))
    if not entries:
        raise ChartError(f"the repository has no chart {name}")
    fitting = [one for one in entries if is_same_version(one["version"], version)]
    if not fitting:
        others = ", ".join(one["version"] for one in entries[:_SHOWN_MAX])
        more = ", …" if len(entries) > _SHOWN_MAX else ""
        raise ChartError(f"the repository has no version {version} of {name}, but {others}{more}")
    entry = next((one for one in fitting if one["version"] == version), fitting[0])
    digest = entry.get("digest")
    return digest.removeprefix("sha256:").lower() if isinstance(digest, str) else ""


def _entries(index: object, name: str) -> Iterator[dict[str, Any]]:
    charts = index.get("entries") if isinstance(index, dict) else None
    versions = charts.get(name) if isinstance(charts, dict) else None
    for entry in versions if isinstance(versions, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("version"), str):
            yield entry
