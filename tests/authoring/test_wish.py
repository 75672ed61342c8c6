from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.authoring.wish import WantedCertificate, Wish, certificate_manifest, overlay, tenant_manifest
from entryproxy.config.yaml import parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.model.secret import PrivateBytes

NAMES = st.sampled_from(["a", "b", "c"])
DOCUMENTS = st.dictionaries(NAMES, st.integers() | st.dictionaries(NAMES, st.integers(), max_size=3), max_size=3)


@pytest.mark.parametrize(
    ("document", "fields", "expected"),
    [
        ({}, {}, {}),
        ({}, {"gateway.port": 80, "gateway.service": "s"}, {"gateway": {"port": 80, "service": "s"}}),
        ({"gateway": {"port": 1}}, {"gateway.service": "s"}, {"gateway": {"port": 1, "service": "s"}}),
        ({"gateway": None}, {"gateway.port": 1}, {"gateway": {"port": 1}}),
        ({"domains": ["a", "b"]}, {"domains": ("c",)}, {"domains": ["c"]}),
        ({"hsts": {"maxAge": 1}}, {"hsts": False}, {"hsts": False}),
        ({"release": {"x": 1}}, {"domains": ()}, {"release": {"x": 1}, "domains": []}),
    ],
)
def test_overlay(document: dict[str, Any], fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert overlay(document, fields) == expected


def test_a_field_inside_something_that_is_no_mapping() -> None:
    with pytest.raises(TypeError, match="limits is not a mapping"):
        overlay({"limits": [1]}, {"limits.connections": 1})


@given(DOCUMENTS, NAMES, NAMES, st.integers())
def test_only_the_wanted_field_changes(document: dict[str, Any], part: str, field: str, value: int) -> None:
    if not isinstance(document.get(part, {}), dict):
        return
    before = repr(document)
    result = overlay(document, {f"{part}.{field}": value})
    assert repr(document) == before
    assert result[part].pop(field) == value
    expected = {**document, part: {key: one for key, one in document.get(part, {}).items() if key != field}}
    assert result == expected


def wish(**fields: Any) -> Wish:
    return Wish(tenant="t1", namespace="ns", **fields)


def test_the_config_map_holds_what_was_asked_for() -> None:
    manifest = tenant_manifest(wish(fields={"domains": ("a.example",)}, gateway_ca_pem="pem"), write_yaml)
    assert manifest["metadata"]["name"] == "t1"
    assert parse_yaml(manifest["data"]["tenant.yaml"]) == {"domains": ["a.example"]}
    assert manifest["data"]["ca.crt"] == "pem"


def test_what_is_there_stays_unless_asked_for() -> None:
    present = {"tenant.yaml": "domains: [a.example]  # theirs\n", "ca.crt": "old", "of-others": "x"}
    untouched = tenant_manifest(wish(fields={}), write_yaml, present, {"domains": ["a.example"]})
    assert untouched["data"] == {"tenant.yaml": present["tenant.yaml"], "ca.crt": "old"}
    changed = tenant_manifest(wish(fields={"hsts": True}), write_yaml, present, {"domains": ["a.example"]})
    assert parse_yaml(changed["data"]["tenant.yaml"]) == {"domains": ["a.example"], "hsts": True}
    assert changed["data"]["ca.crt"] == "old"


def test_a_wish_prints_without_its_keys() -> None:
    wanted = WantedCertificate(name="tls", certificate_pem=b"c", key_pem=PrivateBytes(b"secret"), origin=("c", "k"))
    assert "secret" not in repr(wish(fields={}, certificates=(wanted,)))
    assert certificate_manifest(wish(fields={}), wanted)["metadata"]["name"] == "tls"
