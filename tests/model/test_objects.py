from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.objects import LabelledConfigMap, LabelledSecret, release_state
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.status import TenantStatus, encode_status


def test_references_read_as_kubectl_writes_them() -> None:
    config_map = LabelledConfigMap(namespace="ns", name="a", tenant="a", created="", data={})
    secret = LabelledSecret(
        namespace="ns", name="a", tenant="a", created="", certificate_pem=b"", key_pem=PrivateBytes(b"the key")
    )
    assert (config_map.reference, secret.reference) == ("ConfigMap ns/a", "Secret ns/a")
    assert "the key" not in repr(secret)


def test_objects_do_not_change() -> None:
    config_map = LabelledConfigMap(namespace="ns", name="a", tenant="a", created="", data={})
    with pytest.raises(AttributeError):
        config_map.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (TenantStatus(phase="Provisioning"), "unknown"),
        (TenantStatus(phase="Failed"), "failed"),
        (TenantStatus(phase="Failed", has_served=True), "served"),
        (TenantStatus(phase="Ready", has_served=True), "served"),
    ],
)
def test_what_a_status_comes_to(status: TenantStatus, state: str) -> None:
    assert release_state(encode_status(status)) == state


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"phase":"Bored"}', '{"phase":7}', '{"phase":"Ready","x":' + "[" * 90_000, "\ud800", "\x00"],
)
def test_a_status_that_somebody_else_wrote_says_nothing(text: str) -> None:
    assert release_state(text) == "unknown"


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_no_status_is_a_fault(text: str) -> None:
    assert release_state(text) == "unknown"
