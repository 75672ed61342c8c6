from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.config.kubernetes.decode import Decoded, decode_event, decode_object, decode_page
from entryproxy.config.kubernetes.kinds import CONFIG_MAP, ENDPOINT_SLICE, SECRET
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.objects import TENANT_LABEL
from tests.kubernetes.api import config_map, secret


def stored(manifest: dict[str, Any], **metadata: object) -> dict[str, Any]:
    """As the API server gives it."""
    common = {"namespace": "ns", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-31T12:00:00Z"}
    return {**manifest, "metadata": {**common, **manifest["metadata"], **metadata}}


def page(*items: object, **metadata: object) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "9", **metadata}, "items": items}).encode()


def event(kind: str, manifest: object) -> bytes:
    return json.dumps({"type": kind, "object": manifest}).encode()


def test_a_page() -> None:
    found = decode_page(CONFIG_MAP, page(stored(config_map("a")), stored(config_map("b")), **{"continue": "more"}))
    assert (found.version, found.token) == ("9", "more")
    assert [one.reference for one in found.items] == ["ConfigMap ns/a", "ConfigMap ns/b"]
    assert all(one.object is not None and one.problem is None for one in found.items)


@pytest.mark.parametrize("items", ["null", "[]"])
def test_an_empty_page(items: str) -> None:
    found = decode_page(CONFIG_MAP, b'{"metadata":{"resourceVersion":"9"},"items":%s}' % items.encode())
    assert (found.items, found.version, found.token) == ([], "9", "")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"metadata":{}}', page(stored(config_map("a")))[:-20], b'{"items":[{"a":"\\ud']
)
def test_a_page_that_is_none(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        decode_page(CONFIG_MAP, body)
    assert caught.value.reason == "Malformed"


def test_a_poison_object_stops_nobody() -> None:
    broken = stored(secret("b"))
    broken["data"]["tls.key"] = "%%%"
    found = decode_page(SECRET, page(stored(secret("a")), broken, stored(secret("c")), "text", 7))
    a, b, c, text, number = found.items
    assert a.object is not None and c.object is not None
    assert b.object is None and b.problem is not None
    assert b.reference == b.problem.object == "Secret ns/b"
    assert (b.problem.reason, b.problem.field, b.problem.tenant) == ("InvalidObject", "data.tls.key", "b")
    assert b.problem.message == "Expected base64; what was good before, if anything, stays in force"
    for one in (text, number):
        assert one.reference == "" and one.problem is not None
        assert (one.problem.object, one.problem.tenant) == ("Secret ?/?", "")


@pytest.mark.parametrize(("written", "uid"), [("u1", "u1"), (None, ""), (7, "")])
def test_which_object_it_is_that_cannot_be_read(written: object, uid: str) -> None:
    broken = stored(secret("b"), uid=written, creationTimestamp="soon")
    found = decode_object(SECRET, json.dumps(broken).encode())
    assert (found.reference, found.problem is not None, found.uid) == ("Secret ns/b", True, uid)


@pytest.mark.parametrize("levels", [900, 990, 1_000, 1_500, 9_990])
def test_nested_as_deep_as_the_api_server_lets_anybody(levels: int) -> None:
    """Managed fields are whatever a client says they are."""
    deep = b'{"f:a":' * levels + b"{}" + b"}" * levels
    fields = json.dumps(stored(config_map("b"), managedFields=["@"])).encode().replace(b'"@"', deep)
    items = page(stored(config_map("a")), "@", stored(config_map("c"))).replace(b'"@"', fields)
    assert [one.object and one.reference for one in decode_page(CONFIG_MAP, items).items] == [
        "ConfigMap ns/a",
        "ConfigMap ns/b",
        "ConfigMap ns/c",
    ]
    for kind in ("ADDED", "DELETED", "BOOKMARK"):
        assert decode_event(CONFIG_MAP, event(kind, "@").replace(b'"@"', fields)).version == "7"


@pytest.mark.parametrize(
    ("manifest", "field", "message"),
    [
        ({"data": {"tenant.yaml": 7}}, "data[...]", "Expected `str`, got `int`"),
        ({"data": "x"}, "data", "Expected `object | null`, got `str`"),
    ],
)
def test_the_path_of_a_wrong_shape(manifest: dict[str, Any], field: str, message: str) -> None:
    raw = json.dumps(stored({**config_map("a"), **manifest})).encode()
    problem = decode_object(CONFIG_MAP, raw).problem
    assert problem is not None
    assert (problem.field, problem.message.partition(";")[0]) == (field, message)


def test_not_utf_8() -> None:
    raw = json.dumps(stored(config_map("a", {"tenant.yaml": "@"}))).encode().replace(b"@", b"\xff")
    decoded = decode_object(CONFIG_MAP, raw)
    assert decoded.reference == "ConfigMap ns/a"
    assert decoded.problem is not None
    assert decoded.problem.message.startswith("Not valid UTF-8")


def test_a_problem_says_nothing_of_the_contents() -> None:
    manifest = stored(secret("a"))
    manifest["data"]["tls.key"] = "c2VjcmV0%"
    for data in (manifest["data"], {"tls.key": ["c2VjcmV0"]}, "c2VjcmV0"):
        decoded = decode_object(SECRET, json.dumps({**manifest, "data": data}).encode())
        assert decoded.problem is not None
        assert "c2VjcmV0" not in repr(decoded)


def test_what_is_not_ours_is_named_all_the_same() -> None:
    raw = json.dumps(stored(config_map("a"), labels={})).encode()
    assert decode_object(CONFIG_MAP, raw) == Decoded("ConfigMap ns/a")


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
def test_events(kind: str) -> None:
    found = decode_event(CONFIG_MAP, event(kind, stored(config_map("a"))))
    assert found.version == "7"
    assert found.decoded is not None and found.decoded.object is not None
    assert found.decoded.object.version == "7"


def test_a_deletion_needs_only_a_name() -> None:
    last = {"metadata": {"name": "a", "namespace": "ns", "resourceVersion": "8", "labels": 7}, "data": 7}
    found = decode_event(CONFIG_MAP, event("DELETED", last))
    assert (found.decoded, found.version) == (Decoded("ConfigMap ns/a"), "8")


def test_a_bookmark() -> None:
    found = decode_event(ENDPOINT_SLICE, event("BOOKMARK", {"metadata": {"resourceVersion": "12"}}))
    assert (found.decoded, found.version) == (None, "12")


def test_an_unreadable_object_does_not_lose_the_version() -> None:
    found = decode_event(CONFIG_MAP, event("MODIFIED", stored({**config_map("a"), "data": 7})))
    assert found.version == "7"
    assert found.decoded is not None and found.decoded.problem is not None
    found = decode_event(CONFIG_MAP, event("MODIFIED", "text"))
    assert found.version == ""
    assert found.decoded is not None and found.decoded.reference == ""


def test_an_error_is_raised() -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (2)"}
    with pytest.raises(ApiError) as caught:
        decode_event(CONFIG_MAP, event("ERROR", gone))
    assert caught.value.is_gone
    assert caught.value.message == "too old resource version: 1 (2)"


@given(st.integers(0, len(event("ADDED", stored(config_map("a")))) - 1))
def test_torn_at_any_place(length: int) -> None:
    line = event("ADDED", stored(config_map("a")))[:length]
    with pytest.raises(ApiError) as caught:
        decode_event(CONFIG_MAP, line)
    assert caught.value.reason == "Malformed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(["metadata", "data", "type", "addressType", "ports", "endpoints"])
META = st.sampled_from(["name", "namespace", "labels", "uid", "resourceVersion", "creationTimestamp"])


@given(
    st.dictionaries(FIELDS, JSON), st.dictionaries(META, JSON), st.sampled_from([CONFIG_MAP, SECRET, ENDPOINT_SLICE])
)
def test_whatever_an_object_is_like(fields: dict[str, Any], metadata: dict[str, Any], kind: Any) -> None:
    whole = stored({**secret("a"), "addressType": "IPv4"}, **metadata)
    decoded = decode_object(kind, json.dumps({**whole, **fields}).encode())
    assert decoded.object is None or decoded.problem is None
    assert decoded.object is None or decoded.object.reference == decoded.reference
    assert TENANT_LABEL not in decoded.reference


def test_a_deletion_that_a_finalizer_holds_back_is_one() -> None:
    """It comes as a change, and in lists."""
    held = stored(config_map("a"), deletionTimestamp="2026-01-31T12:00:01Z", resourceVersion="8")
    found = decode_event(CONFIG_MAP, event("MODIFIED", held))
    assert (found.decoded, found.version) == (Decoded("ConfigMap ns/a"), "8")
    assert decode_page(CONFIG_MAP, page(held)).items == [Decoded("ConfigMap ns/a")]
