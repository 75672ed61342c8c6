"""Kubernetes objects as the sources hand them to the compiler: only the labelled kinds, only the fields that matter."""

from __future__ import annotations

from typing import Literal

import msgspec

from entryproxy.model.secret import PrivateBytes
from entryproxy.model.status import decode_status

TENANT_LABEL = "entryproxy.higress.io/tenant"
PROVISIONED_LABEL = "entryproxy.higress.io/provisioned"
"""On a tenant's ConfigMap together with FINALIZER, with the tenant's id: the controller finds it by that even when
TENANT_LABEL has been taken away."""
FINALIZER = "entryproxy.higress.io/release"
"""Keeps a tenant's ConfigMap until its release is gone."""
STATUS_ANNOTATION = "entryproxy.higress.io/status"
"""On a tenant's ConfigMap: `model.status.TenantStatus` as JSON."""
CONFIG_MAP = "ConfigMap"
SECRET = "Secret"  # noqa: S105 - a kind
ENDPOINT_SLICE = "EndpointSlice"
TLS_SECRET_TYPE = "kubernetes.io/tls"  # noqa: S105 - a type name

ReleaseState = Literal["unknown", "failed", "served"]
"""All that the entry wants of STATUS_ANNOTATION: the gateway has been available once, or it never was and the last
attempt failed, or nobody says either."""


def release_state(annotation: str) -> ReleaseState:
    """What STATUS_ANNOTATION comes to. The text itself changes with everything that the controller does, so nobody
    keeps it: objects would differ all the time."""
    status = decode_status(annotation) if annotation else None
    if status is None:
        return "unknown"
    if status.has_served:
        return "served"
    return "failed" if status.phase == "Failed" else "unknown"


class LabelledConfigMap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A ConfigMap with our label. `tenant` is the label's value, not yet judged; `data` maps keys to text. One that is
    being deleted is none: see `config.kubernetes.kinds`."""

    namespace: str
    name: str
    tenant: str
    created: str  # creationTimestamp, RFC 3339; orders claims (routing rule 3), then namespace/name
    uid: str = ""
    version: str = ""
    data: dict[str, str]
    release_state: ReleaseState = "unknown"
    origin: str = ""  # where a person finds it: file name, or empty for the cluster

    @property
    def reference(self) -> str:
        return f"{CONFIG_MAP} {self.namespace}/{self.name}"


class LabelledSecret(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A kubernetes.io/tls Secret with our label."""

    namespace: str
    name: str
    tenant: str
    created: str
    uid: str = ""
    version: str = ""
    certificate_pem: bytes
    key_pem: PrivateBytes
    origin: str = ""

    @property
    def reference(self) -> str:
        return f"{SECRET} {self.namespace}/{self.name}"


class SlicePort(msgspec.Struct, frozen=True, gc=False):
    """A port of an EndpointSlice: `name` as the Service calls it, `number` where the pods listen."""

    name: str
    number: int


class SliceEndpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint of an EndpointSlice, its conditions with the API's defaults filled in (`ready` and `serving` are
    true, `terminating` is false when they are absent).

    for_zones: the zones whose traffic it is meant for (`hints.forZones`), empty without hints.
    """

    address: str  # an IP address; the API lets consumers use the first one alone
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone: str = ""
    for_zones: tuple[str, ...] = ()


class LabelledEndpointSlice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An EndpointSlice (discovery.k8s.io/v1) with our label, which it has from its Service.

    service: the label `kubernetes.io/service-name`. Slices of address type FQDN never come this far.
    """

    namespace: str
    name: str
    tenant: str
    created: str
    uid: str = ""
    version: str = ""
    service: str
    ports: tuple[SlicePort, ...]
    endpoints: tuple[SliceEndpoint, ...]
    origin: str = ""

    @property
    def reference(self) -> str:
        return f"{ENDPOINT_SLICE} {self.namespace}/{self.name}"


LabelledObject = LabelledConfigMap | LabelledSecret | LabelledEndpointSlice
