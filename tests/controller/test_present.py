from __future__ import annotations

from typing import Any

import msgspec
import pytest

from entryproxy.controller.metadata import Metadata
from entryproxy.controller.present import is_of_release, is_of_tenant, parse_metadata
from entryproxy.kubernetes.errors import ApiError

OURS = {"app.kubernetes.io/managed-by": "entryproxy", "entryproxy.higress.io/owner": "acme"}
HELMS = {"app.kubernetes.io/managed-by": "Helm"}


def metadata(labels: dict[str, str], annotations: dict[str, str] | None = None) -> Metadata:
    return Metadata(name="a", labels=labels, annotations=annotations or {})


@pytest.mark.parametrize(
    ("labels", "is_ours"),
    [
        (OURS, True),
        ({**OURS, "app.kubernetes.io/managed-by": "Helm"}, False),
        ({**OURS, "entryproxy.higress.io/owner": "other"}, False),
        ({"entryproxy.higress.io/owner": "acme"}, False),
        ({}, False),
    ],
)
def test_of_a_tenant(labels: dict[str, str], is_ours: bool) -> None:
    assert is_of_tenant(metadata(labels), "acme") is is_ours


@pytest.mark.parametrize(
    ("labels", "release", "is_its"),
    [(HELMS, "acme", True), (HELMS, "other", False), (OURS, "acme", False), ({}, "acme", False)],
)
def test_of_a_release(labels: dict[str, str], release: str, is_its: bool) -> None:
    assert is_of_release(metadata(labels, {"meta.helm.sh/release-name": release}), "acme") is is_its
    assert not is_of_release(metadata(labels), "acme")


def test_an_object() -> None:
    body = {"kind": "X", "metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "deletionTimestamp": None}}
    read = parse_metadata(msgspec.json.encode(body))
    assert (read.name, read.uid, read.resource_version, read.deletion_timestamp) == ("a", "u", "7", None)


def test_one_that_is_nested_deeper_than_we_go() -> None:
    deep: Any = "[" * 5000 + "]" * 5000
    assert parse_metadata(b'{"data": %s, "metadata": {"name": "a"}}' % deep.encode()).name == "a"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"metadata": 1}', b"{}"])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(ApiError, match="can't be read"):
        parse_metadata(body)
