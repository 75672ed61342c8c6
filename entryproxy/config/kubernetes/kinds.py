"""One object as the API sends it → one labelled object: the three kinds, of each the fields that matter.

Whatever is not declared here is skipped by the decoder without ever becoming a Python object: managed fields, other
keys of a Secret, binary data.

A ConfigMap or Secret that is being deleted is not ours any more: whoever deleted it wants it withdrawn, and a
finalizer, which may hold it for minutes, is about what comes after. EndpointSlices say themselves which pods serve.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypedDict

import msgspec

from entryproxy.config.manifests import canonical_time
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.model.hostname import is_tenant_id
from entryproxy.model.objects import (
    STATUS_ANNOTATION,
    TENANT_LABEL,
    TLS_SECRET_TYPE,
    LabelledConfigMap,
    LabelledEndpointSlice,
    LabelledObject,
    LabelledSecret,
    SliceEndpoint,
    SlicePort,
    release_state,
)
from entryproxy.model.secret import PrivateBytes

SERVICE_LABEL = "kubernetes.io/service-name"


class UnreadableError(ValueError):
    """An object with our label that can't be read. field: the path inside."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class _Annotations(msgspec.Struct):
    status: str = msgspec.field(name=STATUS_ANNOTATION, default="")


class Metadata(msgspec.Struct):
    """ObjectMeta: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/"""

    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: _Annotations | None = None
    creationTimestamp: str | None = None  # noqa: N815 - the API's fields, here and below
    deletionTimestamp: str | None = None  # noqa: N815
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815


class _ConfigMap(msgspec.Struct):
    metadata: Metadata
    data: dict[str, str] | None = None


class _TlsData(msgspec.Struct):
    certificate: str = msgspec.field(name="tls.crt", default="")
    key: str = msgspec.field(name="tls.key", default="")


class _Secret(msgspec.Struct):
    metadata: Metadata
    type: str = ""
    data: _TlsData | None = None


class _Conditions(msgspec.Struct):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class _Zone(msgspec.Struct):
    name: str


class _Hints(msgspec.Struct):
    forZones: list[_Zone] | None = None  # noqa: N815


class _Endpoint(msgspec.Struct):
    addresses: list[str]
    conditions: _Conditions | None = None
    zone: str | None = None
    hints: _Hints | None = None


class _Port(msgspec.Struct):
    name: str | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    protocol: str | None = None


class _EndpointSlice(msgspec.Struct):
    """https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/"""

    metadata: Metadata
    addressType: str  # noqa: N815
    ports: list[_Port] | None = None
    endpoints: list[_Endpoint] | None = None


class _Common(TypedDict):
    namespace: str
    name: str
    tenant: str
    created: str
    uid: str
    version: str


_decode_config_map = any_depth(msgspec.json.Decoder(_ConfigMap).decode)
_decode_secret = any_depth(msgspec.json.Decoder(_Secret).decode)
_decode_slice = any_depth(msgspec.json.Decoder(_EndpointSlice).decode)


class Kind(msgspec.Struct, frozen=True):
    """name: "ConfigMap". read: one object's JSON → the object, None when it is not ours; raises UnreadableError,
    msgspec.DecodeError or UnicodeDecodeError."""

    name: str
    read: Callable[[bytes | msgspec.Raw], LabelledObject | None]


def _read_config_map(raw: bytes | msgspec.Raw) -> LabelledConfigMap | None:
    one = _decode_config_map(raw)
    common = _common(one.metadata)
    if common is None or one.metadata.deletionTimestamp is not None:
        return None
    status = (one.metadata.annotations or _Annotations()).status
    return LabelledConfigMap(**common, data=one.data or {}, release_state=release_state(status))


def _read_secret(raw: bytes | msgspec.Raw) -> LabelledSecret | None:
    one = _decode_secret(raw)
    common = _common(one.metadata)
    if common is None or one.metadata.deletionTimestamp is not None or one.type != TLS_SECRET_TYPE:
        return None
    data = one.data or _TlsData()
    return LabelledSecret(
        **common,
        certificate_pem=_material("tls.crt", data.certificate),
        key_pem=PrivateBytes(_material("tls.key", data.key)),
    )


def _read_slice(raw: bytes | msgspec.Raw) -> LabelledEndpointSlice | None:
    one = _decode_slice(raw)
    common = _common(one.metadata)
    # The label may be put on slices of any namespace: one that can't be a tenant's must not touch the platform.
    if common is None or not is_tenant_id(common["tenant"]) or one.addressType not in ("IPv4", "IPv6"):
        return None
    return LabelledEndpointSlice(
        **common,
        service=(one.metadata.labels or {}).get(SERVICE_LABEL, ""),
        ports=tuple(
            SlicePort(port.name or "", port.port)
            for port in one.ports or ()
            if port.port is not None and port.protocol in (None, "TCP")
        ),
        endpoints=tuple(_endpoint(endpoint) for endpoint in one.endpoints or () if endpoint.addresses),
    )


CONFIG_MAP = Kind("ConfigMap", _read_config_map)
SECRET = Kind("Secret", _read_secret)
ENDPOINT_SLICE = Kind("EndpointSlice", _read_slice)


def _common(metadata: Metadata) -> _Common | None:
    tenant = (metadata.labels or {}).get(TENANT_LABEL)
    if tenant is None:
        return None
    return {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "tenant": tenant,
        "created": _created(metadata.creationTimestamp),
        "uid": metadata.uid,
        "version": metadata.resourceVersion,
    }


def _created(written: str | None) -> str:
    """Without a time an object would be older than every other, and take their hosts."""
    try:
        return canonical_time(datetime.fromisoformat(written or ""))
    except (ValueError, OverflowError):
        raise UnreadableError("metadata.creationTimestamp", "Expected a time such as 2026-01-31T12:00:00Z") from None


def _material(key: str, encoded: str) -> bytes:
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        raise UnreadableError(f"data.{key}", "Expected base64") from None


def _endpoint(one: _Endpoint) -> SliceEndpoint:
    """A condition that is not known is true, but for terminating; not known serving is ready (the API's defaults)."""
    conditions = one.conditions or _Conditions()
    ready = conditions.ready is not False
    return SliceEndpoint(
        address=one.addresses[0],
        ready=ready,
        serving=ready if conditions.serving is None else conditions.serving,
        terminating=conditions.terminating is True,
        zone=one.zone or "",
        for_zones=tuple(zone.name for zone in (one.hints.forZones if one.hints is not None else None) or ()),
    )
