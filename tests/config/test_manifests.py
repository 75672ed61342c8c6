from __future__ import annotations

from typing import Any

import pytest

from entryproxy.config.manifests import ManifestError, objects_in, read_object, split_documents
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import STATUS_ANNOTATION, LabelledConfigMap, LabelledObject, LabelledSecret
from entryproxy.model.status import TenantStatus, encode_status
from tests.config.objects import LABEL, config_map, secret


def read(text: str) -> LabelledObject | None:
    return read_object(parse_yaml(text), "default-ns", "file.yaml")


def test_a_config_map() -> None:
    text = config_map("t1", {"tenant.yaml": "hsts: true"}, creationTimestamp="2026-01-01T02:00:00+02:00", uid="u1")
    assert read(text) == LabelledConfigMap(
        namespace="default-ns",
        name="t1",
        tenant="t1",
        created="2026-01-01T00:00:00.000000Z",
        uid="u1",
        data={"tenant.yaml": "hsts: true"},
        origin="file.yaml",
    )


def test_a_secret_from_data_and_from_string_data() -> None:
    one = read(secret("t1"))
    assert isinstance(one, LabelledSecret)
    assert (one.reference, one.certificate_pem, one.key_pem.reveal()) == ("Secret ns/tls", b"crt", b"key")
    other = read(secret("t1", stringData={"tls.crt": "plain"}))
    assert isinstance(other, LabelledSecret)
    assert (other.certificate_pem, other.key_pem.reveal()) == (b"plain", b"key")
    bare = read(secret("t1", data=None))
    assert isinstance(bare, LabelledSecret)
    assert (bare.certificate_pem, bare.key_pem.reveal()) == (b"", b"")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        {},
        {"kind": "ConfigMap"},
        {"kind": "ConfigMap", "metadata": {"name": "x"}},
        {"kind": "ConfigMap", "metadata": {"name": "x", "labels": {"app": "y"}}, "data": 7},
        {"kind": "Deployment", "metadata": {"name": "x", "labels": {LABEL: "t1"}}},
        {"kind": "Secret", "metadata": {"name": "x", "labels": None}, "data": {"tls.crt": "%%%"}},
    ],
)
def test_what_is_not_ours_is_nothing(value: object) -> None:
    assert read_object(value, "ns", "file.yaml") is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": {"name": "x", "labels": {LABEL: 7}}}, "metadata.labels"),
        ({"metadata": {"labels": {LABEL: "t1"}}}, "metadata.name"),
        ({"metadata": {"name": "../x", "labels": {LABEL: "t1"}}}, "metadata.name"),
        ({"metadata": {"name": "x", "namespace": 1, "labels": {LABEL: "t1"}}}, "metadata.namespace"),
        (
            {"metadata": {"name": "x", "creationTimestamp": "soon", "labels": {LABEL: "t1"}}},
            "metadata.creationTimestamp",
        ),
        ({"data": {"tenant.yaml": {"domains": []}}}, "data.tenant.yaml"),
        ({"data": ["x"]}, "data"),
        ({"kind": "Secret", "type": "Opaque"}, "type"),
        ({"kind": "Secret", "type": "kubernetes.io/tls", "data": {"tls.key": "%%%"}}, "data.tls.key"),
    ],
)
def test_what_is_ours_but_unreadable(change: dict[str, Any], field: str) -> None:
    value = {"kind": "ConfigMap", "metadata": {"name": "x", "labels": {LABEL: "t1"}}, **change}
    with pytest.raises(ManifestError) as caught:
        read_object(value, "ns", "file.yaml")
    assert caught.value.field == field
    assert caught.value.reference.startswith(value["kind"])


def test_a_list_is_taken_apart() -> None:
    items = [{"kind": "ConfigMap"}, {"kind": "Secret"}]
    assert list(objects_in({"kind": "List", "items": items})) == items
    assert list(objects_in({"kind": "List", "items": "x"})) == [{"kind": "List", "items": "x"}]
    assert list(objects_in(None)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a: 1\n", [(0, "a: 1\n")]),
        ("a: 1\n---\nb: 1\n", [(0, "a: 1\n"), (1, "---\nb: 1\n")]),
        ("---\na: |\n  ---\n--- {b: 1}\n", [(0, "---\na: |\n  ---\n"), (3, "--- {b: 1}\n")]),
        ("a: ---x\n---y: 1\n", [(0, "a: ---x\n---y: 1\n")]),
        ("---\r\na: 1\r\n---\r\nb: 1", [(0, "---\r\na: 1\r\n"), (2, "---\r\nb: 1")]),
        ("%YAML 1.2\n---\na: 1\n", [(0, "%YAML 1.2\n---\na: 1\n")]),
        ("a: 1\n...\n---\nb: 1\n", [(0, "a: 1\n...\n---\nb: 1\n")]),
    ],
)
def test_split_documents(text: str, expected: list[tuple[int, str]]) -> None:
    assert split_documents(text) == expected


def test_what_was_being_deleted_when_it_was_written_out_is_nothing() -> None:
    assert read(config_map("t1", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["example.com/any"])) is None
    assert read(config_map("t1", deletionTimestamp=None)) is not None


@pytest.mark.parametrize(
    ("annotations", "state"),
    [
        ({STATUS_ANNOTATION: encode_status(TenantStatus(phase="Ready", has_served=True))}, "served"),
        ({STATUS_ANNOTATION: encode_status(TenantStatus(phase="Failed"))}, "failed"),
        ({STATUS_ANNOTATION: {"phase": "Failed"}}, "unknown"),
        ({"other": "x"}, "unknown"),
        (["x"], "unknown"),
        (None, "unknown"),
    ],
)
def test_a_status(annotations: object, state: str) -> None:
    one = read(config_map("t1", annotations=annotations))
    assert isinstance(one, LabelledConfigMap)
    assert one.release_state == state
