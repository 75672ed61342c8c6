from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from entryproxy.config.kubernetes.kinds import CONFIG_MAP, ENDPOINT_SLICE, SECRET, UnreadableError
from entryproxy.model.objects import (
    STATUS_ANNOTATION,
    TENANT_LABEL,
    LabelledConfigMap,
    LabelledEndpointSlice,
    LabelledSecret,
    SliceEndpoint,
    SlicePort,
)
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.status import TenantStatus, encode_status

METADATA = {
    "name": "one",
    "namespace": "ns",
    "uid": "u1",
    "resourceVersion": "17",
    "creationTimestamp": "2026-01-31T12:00:00Z",
    "labels": {TENANT_LABEL: "t1", "kubernetes.io/service-name": "higress-gateway"},
    "annotations": {"x": "y"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {}}}],
}
COMMON: dict[str, Any] = {
    "namespace": "ns",
    "name": "one",
    "tenant": "t1",
    "created": "2026-01-31T12:00:00.000000Z",
    "uid": "u1",
    "version": "17",
}


def raw(**fields: object) -> bytes:
    return json.dumps({"metadata": METADATA, **fields}).encode()


def test_config_map() -> None:
    data = {"tenant.yaml": "hsts: true"}
    assert CONFIG_MAP.read(raw(data=data, binaryData={"x": "AA=="})) == LabelledConfigMap(**COMMON, data=data)
    assert CONFIG_MAP.read(raw(data=None)) == CONFIG_MAP.read(raw()) == LabelledConfigMap(**COMMON, data={})


def test_secret() -> None:
    data = {"tls.crt": "Y3J0", "tls.key": "a2V5", "ca.crt": "%%%", "other": 7}
    assert SECRET.read(raw(type="kubernetes.io/tls", data=data)) == LabelledSecret(
        **COMMON, certificate_pem=b"crt", key_pem=PrivateBytes(b"key")
    )
    empty = LabelledSecret(**COMMON, certificate_pem=b"", key_pem=PrivateBytes(b""))
    assert SECRET.read(raw(type="kubernetes.io/tls")) == empty
    assert SECRET.read(raw(type="kubernetes.io/tls", data={})) == empty


@pytest.mark.parametrize("kind", ["Opaque", "helm.sh/release.v1", ""])
def test_other_secrets_are_nothing(kind: str) -> None:
    assert SECRET.read(raw(type=kind, data={"tls.crt": "Y3J0", "tls.key": "a2V5"})) is None


@pytest.mark.parametrize("labels", [None, {}, {"app": "x"}])
@pytest.mark.parametrize("kind", [CONFIG_MAP, SECRET, ENDPOINT_SLICE])
def test_without_the_label_nothing_is_read(kind: Any, labels: object) -> None:
    fields = {"type": "kubernetes.io/tls", "addressType": "IPv4"}
    assert kind.read(raw(metadata={**METADATA, "labels": labels}, **fields)) is None


def test_endpoint_slice() -> None:
    one = ENDPOINT_SLICE.read(
        raw(
            addressType="IPv4",
            ports=[
                {"name": "http", "port": 8080, "protocol": "TCP"},
                {"port": 8443},
                {"name": "quic", "port": 8443, "protocol": "UDP"},
                {"name": "all", "port": None, "protocol": "TCP"},
            ],
            endpoints=[
                {
                    "addresses": ["10.0.0.1", "10.0.0.9"],
                    "conditions": {"ready": True, "serving": True, "terminating": False},
                    "zone": "a",
                    "hints": {"forZones": [{"name": "a"}, {"name": "b"}]},
                    "nodeName": "n1",
                    "targetRef": {"kind": "Pod", "name": "p"},
                },
                {"addresses": []},
            ],
        )
    )
    assert one == LabelledEndpointSlice(
        **COMMON,
        service="higress-gateway",
        ports=(SlicePort("http", 8080), SlicePort("", 8443)),
        endpoints=(SliceEndpoint(address="10.0.0.1", zone="a", for_zones=("a", "b")),),
    )


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, (True, True, False)),
        ({}, (True, True, False)),
        ({"ready": None, "serving": None, "terminating": None}, (True, True, False)),
        ({"ready": False}, (False, False, False)),
        ({"ready": False, "serving": True, "terminating": True}, (False, True, True)),
        ({"ready": True, "serving": False}, (True, False, False)),
    ],
)
def test_conditions_with_the_defaults_of_the_api(conditions: object, expected: tuple[bool, bool, bool]) -> None:
    one = ENDPOINT_SLICE.read(
        raw(addressType="IPv6", endpoints=[{"addresses": ["fd00::1"], "conditions": conditions, "hints": {}}])
    )
    assert isinstance(one, LabelledEndpointSlice)
    (endpoint,) = one.endpoints
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == expected


def test_a_slice_without_anything_and_one_of_names() -> None:
    one = ENDPOINT_SLICE.read(raw(addressType="IPv4", ports=None, endpoints=None))
    assert isinstance(one, LabelledEndpointSlice)
    assert (one.ports, one.endpoints) == ((), ())
    assert ENDPOINT_SLICE.read(raw(addressType="FQDN", endpoints=[{"addresses": ["x.example.com"]}])) is None


@pytest.mark.parametrize("tenant", ["system", "Not_One", "a" * 40, ""])
def test_a_slice_of_no_tenant_is_nothing(tenant: str) -> None:
    """Anybody with a namespace could touch the platform with it."""
    metadata = {**METADATA, "labels": {TENANT_LABEL: tenant}}
    assert ENDPOINT_SLICE.read(raw(metadata=metadata, addressType="IPv4")) is None


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        (SECRET, {"type": "kubernetes.io/tls", "data": {"tls.crt": "%%%"}}, "data.tls.crt"),
        (SECRET, {"type": "kubernetes.io/tls", "data": {"tls.key": "a2V5\n"}}, "data.tls.key"),
        (SECRET, {"type": "kubernetes.io/tls", "data": {"tls.key": "ключ"}}, "data.tls.key"),
        (CONFIG_MAP, {"metadata": {**METADATA, "creationTimestamp": "soon"}}, "metadata.creationTimestamp"),
        (CONFIG_MAP, {"metadata": {**METADATA, "creationTimestamp": None}}, "metadata.creationTimestamp"),
        (
            CONFIG_MAP,
            {"metadata": {**METADATA, "creationTimestamp": "0001-01-01T00:00:00+14:00"}},
            "metadata.creationTimestamp",
        ),
    ],
)
def test_unreadable_fields_are_named(kind: Any, fields: dict[str, object], field: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        kind.read(raw(**fields))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (CONFIG_MAP, {"data": {"tenant.yaml": {}}}),
        (CONFIG_MAP, {"data": []}),
        (CONFIG_MAP, {"metadata": {"labels": {TENANT_LABEL: "t"}}}),
        (SECRET, {"type": 7}),
        (ENDPOINT_SLICE, {"addressType": "IPv4", "ports": [{"port": 65_536}]}),
        (ENDPOINT_SLICE, {"addressType": "IPv4", "endpoints": [{}]}),
    ],
)
def test_wrong_shapes_are_refused(kind: Any, fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        kind.read(raw(**fields))


@pytest.mark.parametrize("kind", [CONFIG_MAP, SECRET])
def test_one_that_is_being_deleted_is_nothing_whatever_holds_it(kind: Any) -> None:
    metadata = {**METADATA, "deletionTimestamp": "2026-01-31T12:00:01Z", "finalizers": ["example.com/any"]}
    fields = {"type": "kubernetes.io/tls", "data": {"tls.crt": "Y3J0", "tls.key": "a2V5"}}
    assert kind.read(raw(**fields)) is not None
    assert kind.read(raw(metadata=metadata, **fields)) is None
    assert kind.read(raw(metadata={**metadata, "deletionTimestamp": None}, **fields)) is not None


def test_pods_serve_as_long_as_their_slice_says_so() -> None:
    metadata = {**METADATA, "deletionTimestamp": "2026-01-31T12:00:01Z"}
    one = ENDPOINT_SLICE.read(raw(metadata=metadata, addressType="IPv4", endpoints=[{"addresses": ["10.0.0.1"]}]))
    assert isinstance(one, LabelledEndpointSlice) and len(one.endpoints) == 1


def test_of_a_status_only_what_matters_is_kept() -> None:
    def read(status: str | None) -> LabelledConfigMap:
        annotations = {"x": "y"} if status is None else {"x": "y", STATUS_ANNOTATION: status}
        one = CONFIG_MAP.read(raw(metadata={**METADATA, "annotations": annotations}))
        assert isinstance(one, LabelledConfigMap)
        return one

    written = [
        TenantStatus(phase="Upgrading", message=message, revision=revision, has_served=True)
        for revision, message in enumerate(("one", "two"), 1)
    ]
    first, second = (read(encode_status(one)) for one in written)
    assert first == second
    assert first.release_state == "served"
    assert read(encode_status(TenantStatus(phase="Failed"))).release_state == "failed"
    assert read(None) == read("nonsense") == LabelledConfigMap(**COMMON, data={})
