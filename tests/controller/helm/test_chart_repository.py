from __future__ import annotations

import json
from typing import Any

import pytest

from entryproxy.controller.helm.chart import ChartError
from entryproxy.controller.helm.chart_repository import index_digest, public_url, repositories_file

DIGEST = "ab" * 32


def index(*entries: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "entries": {"tiny": list(entries)}}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://charts.example.com/a", "https://charts.example.com/a"),
        ("https://user:pass@charts.example.com:8443/a?b=c", "https://charts.example.com:8443/a?b=c"),
        ("https://user@charts.example.com", "https://charts.example.com"),
    ],
)
def test_urls_for_others(url: str, expected: str) -> None:
    assert public_url(url) == expected


def test_credentials_are_fields_of_their_own() -> None:
    made = json.loads(repositories_file("charts", "https://me:p%40ss@charts.example.com/a"))
    entry = {"name": "charts", "url": "https://charts.example.com/a", "username": "me", "password": "p@ss"}
    assert made == {"apiVersion": "v1", "repositories": [entry]}
    plain = json.loads(repositories_file("charts", "https://charts.example.com/a"))
    assert plain["repositories"] == [{"name": "charts", "url": "https://charts.example.com/a"}]


@pytest.mark.parametrize(
    ("entries", "version", "expected"),
    [
        ([{"version": "1.0.0", "digest": DIGEST}], "1.0.0", DIGEST),
        ([{"version": "1.0.0", "digest": f"sha256:{DIGEST.upper()}"}], "1.0.0", DIGEST),
        ([{"version": "1.0.0", "digest": DIGEST}], "v1.0.0", DIGEST),
        ([{"version": "v1.0.0", "digest": DIGEST}], "1.0.0", DIGEST),
        ([{"version": "v1.0.0", "digest": "no"}, {"version": "1.0.0", "digest": DIGEST}], "1.0.0", DIGEST),
        ([{"version": "1.0.1", "digest": "no"}, {"version": "1.0.0", "digest": DIGEST}], "1.0.0", DIGEST),
        ([{"version": "1.0.0"}], "1.0.0", ""),
        ([{"version": "1.0.0", "digest": None}], "1.0.0", ""),
        (["junk", {"version": 1}, {"version": "1.0.0", "digest": DIGEST}], "1.0.0", DIGEST),
    ],
)
def test_digests(entries: list[object], version: str, expected: str) -> None:
    assert index_digest(index(*entries), "tiny", version) == expected


@pytest.mark.parametrize("document", [None, [], {}, {"entries": []}, {"entries": {"tiny": {}}}, index(), index("junk")])
def test_charts_that_are_not_there(document: object) -> None:
    with pytest.raises(ChartError, match=r"^the repository has no chart tiny$") as raised:
        index_digest(document, "tiny", "1.0.0")
    assert not raised.value.is_transient


def test_versions_that_are_not_there() -> None:
    with pytest.raises(ChartError, match=r"^the repository has no version 9\.0\.0 of tiny, but 1\.1\.0, 1\.0\.0$"):
        index_digest(index({"version": "1.1.0"}, {"version": "1.0.0"}), "tiny", "9.0.0")
    many = index(*({"version": f"1.0.{number}"} for number in range(9)))
    with pytest.raises(ChartError, match=r"but 1\.0\.0, 1\.0\.1, 1\.0\.2, 1\.0\.3, 1\.0\.4, …$"):
        index_digest(many, "tiny", "9.0.0")
