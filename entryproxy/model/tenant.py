"""Tenants and the platform: the YAML that operators write, validated, and what workers get of it.

`TenantSpec` and `PlatformSpec` are the documents as written (`tenant.yaml`, `settings.yaml`), with camelCase names,
unknown fields refused. `Tenant` and `Platform` are the compiled results: defaults merged, domains that lost their
claim left out, certificates attached.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from entryproxy.model.certificate import Certificate
from entryproxy.model.document import Document
from entryproxy.model.release import NamespaceSpec, ReleaseSpec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
DOMAINS_MAX = 2_000
ADDRESSES_MAX = 100


class Limits(Document, frozen=True, kw_only=True, gc=False):
    """Per tenant; 0 means no limit. `connections` counts concurrent requests in the whole pod."""

    request_body_bytes: Count = 0
    requests_per_second: Count = 0
    connections: Count = 0


class Timeouts(Document, frozen=True, kw_only=True, gc=False):
    """Seconds. There is no total deadline."""

    connect: Seconds = 2.0
    first_byte: Seconds = 300.0
    idle: Seconds = 300.0


class Hsts(Document, frozen=True, kw_only=True):
    """Strict-Transport-Security (RFC 6797); max_age in seconds."""

    max_age: Count = 31_536_000
    include_sub_domains: bool = False


class Gateway(Document, frozen=True, kw_only=True):
    """Where a tenant's gateway is. `namespace` "" means `<tenant>-gateway`; `addresses` ("host:port") win over the
    Service. `port` is the Service's, by number; with `balance: endpoints` the pods', by number or by name.

    server_name: the name that a `protocol: https` gateway's certificate must carry; "" means the name that is dialled.
    """

    namespace: str = ""
    service: str = "higress-gateway"
    port: Port | str = 80
    protocol: Literal["http", "h2c", "https"] = "http"
    balance: Literal["service", "endpoints"] = "service"
    addresses: Annotated[tuple[str, ...], msgspec.Meta(max_length=ADDRESSES_MAX)] = ()
    server_name: str = ""


class TenantSpec(Document, frozen=True, kw_only=True):
    """`tenant.yaml` as written. release: None when nobody is asked to make the gateway; it and `namespace` are for the
    controller."""

    domains: Annotated[tuple[str, ...], msgspec.Meta(max_length=DOMAINS_MAX)] = ()
    gateway: Gateway = Gateway()
    https_redirect: bool | None = None
    hsts: Hsts | bool = False
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    release: ReleaseSpec | None = None
    namespace: NamespaceSpec = NamespaceSpec()


class TlsSpec(Document, frozen=True, kw_only=True):
    min_version: Literal["1.2", "1.3"] = "1.2"


class PlatformSpec(Document, frozen=True, kw_only=True):
    """`settings.yaml` as written."""

    system_domain: str
    unknown_sni: Literal["reject", "default"] = "reject"
    https_redirect: bool = True
    trusted_proxies: tuple[str, ...] = ()
    tls: TlsSpec = TlsSpec()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()


class GatewayService(msgspec.Struct, frozen=True, gc=False):
    """A gateway Service whose pods are dialled. port: a pod's port by number, or by the name that the Service gives
    it."""

    namespace: str
    name: str
    port: int | str


class GatewayEndpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pod of a gateway. address: "ip:port", IPv6 in brackets. zone, for_zones: as in `model.objects.SliceEndpoint`.

    draining: it terminates but still serves; for new requests only when there is nothing else (as kube-proxy does).
    """

    address: str
    zone: str = ""
    for_zones: tuple[str, ...] = ()
    draining: bool = False


class Tenant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tenant in force. `domains` are the custom hosts it owns, in normal form, wildcards as "*.customer.com".

    gateway_addresses: what to dial, "host:port" each, names and IP literals alike. gateway_service: the Service whose
    pods are dialled instead, None without `balance: endpoints`. gateway_endpoints: those pods, in order of address,
    none of them when nothing is ready; None when they are not known. gateway_name: what a `https` gateway's certificate
    must carry. gateway_ca_pem: what it is verified against, "" for the system's trust store.
    provisioning: its gateway is the controller's to make and has never been available so far, "failed" when the last
    attempt failed; "" for all others.
    budget_slot: row in the table of budgets that a pod's workers share; -1 when the tenant has neither rate nor
    connection limit.
    """

    id: str
    domains: tuple[str, ...] = ()
    gateway_addresses: tuple[str, ...]
    gateway_service: GatewayService | None = None
    gateway_endpoints: tuple[GatewayEndpoint, ...] | None = None
    gateway_protocol: Literal["http", "https"] = "http"
    gateway_name: str = ""
    gateway_ca_pem: str = ""
    provisioning: Literal["", "pending", "failed"] = ""
    https_redirect: bool = True
    hsts: str = ""  # the field's value, "" for none
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    certificates: tuple[Certificate, ...] = ()
    source: str = ""  # "namespace/name" of its ConfigMap
    budget_slot: int = -1


class Platform(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The platform in force.

    limits, timeouts: the defaults of tenants, which each tenant in force has merged already.
    """

    system_domain: str
    unknown_sni: Literal["reject", "default"] = "reject"
    https_redirect: bool = True
    trusted_proxies: tuple[str, ...] = ()
    tls_min_version: Literal["1.2", "1.3"] = "1.2"
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    certificates: tuple[Certificate, ...] = ()
    source: str = ""  # "namespace/name" of its ConfigMap
