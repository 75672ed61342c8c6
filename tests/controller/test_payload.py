from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.config.manifests import parse_documents
from entryproxy.controller.payload import (
    OBJECTS_MAX,
    PAYLOAD_BYTES_MAX,
    Payload,
    PayloadError,
    as_helm_applies,
    objects_of,
    unpack,
)

RELEASE = {"name": "one", "namespace": "ns", "version": 3, "manifest": "kind: X"}
SENTENCE = re.compile(r"It[s']? [\w' ]+")


def secret(packed: bytes) -> bytes:
    return json.dumps({"kind": "Secret", "data": {"release": b64encode(b64encode(packed)).decode()}}).encode()


def packed(**changes: object) -> bytes:
    return gzip.compress(json.dumps({**RELEASE, "chart": {"templates": []}, **changes}).encode())


def read(body: bytes) -> Payload:
    return unpack(body, "one", "ns", 3)


def test_the_manifest_comes_out() -> None:
    assert read(secret(packed())) == Payload("kind: X", "")
    assert read(secret(packed(info={"description": "Upgrade complete"}))).description == "Upgrade complete"
    assert read(secret(packed(manifest="x" * 5_000_000))).manifest == "x" * 5_000_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "base64"),
        (b"[]", "base64"),
        (b"\xff", "base64"),
        (b"[" * 100_000, "base64"),
        (b'{"data": {}}', "base64"),
        (b'{"data": {"release": 7}}', "base64"),
        (b'{"data": {"release": "%%%"}}', "base64"),
        (json.dumps({"data": {"release": b64encode(b"\x00hidden").decode()}}).encode(), "base64"),
        (secret(b""), "cut short"),
        (secret(b"hidden"), "isn't gzip"),
        (secret(packed()[:-1]), "cut short"),
        (secret(packed()[:20]), "cut short"),
        (secret(packed()[:-8] + b"\0" * 8), "isn't gzip"),
        (secret(gzip.compress(b"hidden")), "no release"),
        (secret(gzip.compress(b"\xff\xfe")), "no release"),
        (secret(gzip.compress(b"[" * 100_000)), "no release"),
        (secret(gzip.compress(b'{"manifest": "hidden"}')), "no release"),
        (secret(packed(manifest=None)), "no release"),
        (secret(packed(name="hidden")), "another release"),
        (secret(packed(namespace="hidden")), "another release"),
        (secret(packed(version=4)), "another release"),
    ],
)
def test_what_helm_could_not_have_written_is_told_without_its_content(body: bytes, message: str) -> None:
    with pytest.raises(PayloadError, match=message) as told:
        read(body)
    assert "hidden" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_bomb_is_not_unpacked() -> None:
    """A gibibyte of zeros is a megabyte packed, and as large as a Secret may be."""
    bomb = gzip.compress(b'{"manifest": "' + b"0" * (PAYLOAD_BYTES_MAX + 1))
    assert len(bomb) < 20_000
    with pytest.raises(PayloadError, match=f"more than {PAYLOAD_BYTES_MAX} bytes"):
        read(secret(bomb))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_way(noise: bytes) -> None:
    for body in (noise, secret(noise), secret(gzip.compress(noise)), secret(packed()[: len(noise)] + noise)):
        with pytest.raises(PayloadError):
            read(body)


OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
HOOK = "apiVersion: v1\nkind: Pod\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n"
LIST = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: two}}\n"


def test_objects_are_found_hooks_are_not() -> None:
    text = f"---\n# Source: a.yaml\n{OBJECT}---\n{HOOK}---\n{LIST}---\n# nothing\n"
    assert [one["metadata"]["name"] for one in objects_of(text, parse_documents)] == ["one", "two"]
    assert objects_of("", parse_documents) == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "- 1",
        "text",
        "a: &a [*a]",
        "kind: ConfigMap\nmetadata: {name: one}",
        "apiVersion: v1\nmetadata: {name: one}",
        "apiVersion: v1\nkind: ConfigMap",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 7}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ''}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: []}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: [1]}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, annotations: text}",
        "apiVersion: v1\nkind: Deployment\nmetadata: {name: one}\nspec: [replicas]",
        "apiVersion: v1\nkind: List\nitems: [7]",
        f"---\n{OBJECT}" * (OBJECTS_MAX + 1),
    ],
)
def test_no_manifest_of_helm(text: str) -> None:
    with pytest.raises(PayloadError):
        objects_of(text, parse_documents)


def test_helms_marks_are_added_and_the_manifest_is_left_alone() -> None:
    metadata: dict[str, Any] = {"name": "one", "labels": {"app": "x"}, "annotations": None}
    manifest = {"apiVersion": "v1", "kind": "Role", "metadata": metadata, "rules": []}
    made = as_helm_applies(manifest, "rel", "ns", is_namespaced=True)
    assert made == {
        "apiVersion": "v1",
        "kind": "Role",
        "metadata": {
            "name": "one",
            "namespace": "ns",
            "labels": {"app": "x", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "rel", "meta.helm.sh/release-namespace": "ns"},
        },
        "rules": [],
    }
    assert metadata == {"name": "one", "labels": {"app": "x"}, "annotations": None}
    elsewhere = {**manifest, "metadata": {**metadata, "namespace": "other"}}
    assert as_helm_applies(elsewhere, "rel", "ns", is_namespaced=True)["metadata"]["namespace"] == "other"
    assert "namespace" not in as_helm_applies(elsewhere, "rel", "ns", is_namespaced=False)["metadata"]
