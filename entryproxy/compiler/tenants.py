"""One tenant's ConfigMap → a draft: validated on its own, before platform defaults, claims and certificates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from entryproxy.compiler.certificates import MALFORMED, read_through
from entryproxy.compiler.documents import ParseYaml, decode, unknown_keys, validate
from entryproxy.compiler.findings import Rejected, warning
from entryproxy.compiler.release import check_release
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import TENANT_ID_CHARACTERS_MAX, is_hostname, is_label, is_tenant_id
from entryproxy.model.objects import LabelledConfigMap
from entryproxy.model.release import NamespaceSpec
from entryproxy.model.tenant import Gateway, GatewayService, Hsts, TenantSpec

DOCUMENT = "tenant.yaml"
CA = "ca.crt"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


class TenantDraft(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What one ConfigMap says. domains: every claim in normal form, whoever wins it. document: the raw mapping, whose
    limits and timeouts go over the platform's. has_release: the controller is to make the gateway. gateway_name and the
    rest as in model.tenant.Tenant."""

    id: str
    domains: tuple[str, ...]
    gateway_addresses: tuple[str, ...]
    service: GatewayService | None = None
    gateway_protocol: Literal["http", "https"]
    gateway_name: str
    gateway_ca_pem: str
    has_release: bool = False
    https_redirect: bool | None
    hsts: str
    document: dict[str, Any]


def parse_tenant(
    source: LabelledConfigMap, parse_yaml: ParseYaml, *, endpoints_known: bool
) -> tuple[TenantDraft, list[Finding]]:
    """The draft and warnings about it; raises Rejected. endpoints_known: the source can watch EndpointSlices."""
    check_tenant_id(source.tenant)
    document = decode(source, DOCUMENT, parse_yaml)
    spec = validate(DOCUMENT, document, TenantSpec)
    check_release(DOCUMENT, spec.release, spec.namespace)
    findings = unknown_keys(source, (DOCUMENT, CA))
    if spec.release is None and spec.namespace != NamespaceSpec():
        message = "It has no effect without release: nobody makes the tenant a namespace"
        findings.append(warning(source, "NoEffect", f"{DOCUMENT}: $.namespace", message))
    addresses, service = _dial(source.tenant, spec.gateway, endpoints_known=endpoints_known)
    draft = TenantDraft(
        id=source.tenant,
        domains=_claims(source, spec.domains, findings),
        gateway_addresses=addresses,
        service=service,
        gateway_protocol="https" if spec.gateway.protocol == "https" else "http",
        gateway_name=_name(spec.gateway, addresses, service),
        gateway_ca_pem=_trust(source.data.get(CA)),
        has_release=spec.release is not None and spec.release.enabled,
        https_redirect=spec.https_redirect,
        hsts=render_hsts(spec.hsts),
        document=document,
    )
    return draft, findings


def check_tenant_id(text: str) -> None:
    """Raises Rejected for a label value that can't be a tenant's id."""
    if not is_tenant_id(text):
        raise Rejected(
            "metadata.labels",
            f'"{text}" is not a tenant id: a DNS label in lower case, at most {TENANT_ID_CHARACTERS_MAX} characters',
        )


def parse_domain(text: str) -> str:
    """A claim in normal form, exact or "*.name"; raises ValueError with a sentence."""
    name = text.lower().removesuffix(".")
    if not name.isascii():
        raise ValueError(f'"{text}" is not ASCII: write it in its IDNA form, which begins with "xn--"')
    if not is_hostname(name.removeprefix("*.")):
        raise ValueError(f'"{text}" is not a DNS name of two or more labels, exact or with one "*." in front')
    return name


def render_hsts(hsts: Hsts | bool) -> str:
    """The value of Strict-Transport-Security (RFC 6797 §6.1), "" for none."""
    if hsts is False:
        return ""
    chosen = Hsts() if hsts is True else hsts
    return f"max-age={chosen.max_age}" + ("; includeSubDomains" if chosen.include_sub_domains else "")


def split_address(address: str) -> tuple[str, int] | None:
    """ "host:port" or "[v6]:port" taken apart, None when it is neither."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        return None
    host = match["host"].strip("[]").lower()
    return (host, int(match["port"])) if _is_dialable(host, bracketed=address.startswith("[")) else None


def _is_dialable(host: str, *, bracketed: bool) -> bool:
    try:
        return (ipaddress.ip_address(host).version == 6) == bracketed
    except ValueError:
        return not bracketed and (is_label(host) or is_hostname(host))


def _claims(source: LabelledConfigMap, domains: Iterable[str], findings: list[Finding]) -> tuple[str, ...]:
    claims: dict[str, None] = {}
    for number, text in enumerate(domains):
        field = f"{DOCUMENT}: $.domains[{number}]"
        try:
            name = parse_domain(text)
        except ValueError as problem:
            raise Rejected(field, str(problem)) from problem
        if name in claims:
            findings.append(warning(source, "DuplicateDomain", field, f'"{name}" is in the list twice'))
        claims[name] = None
    return tuple(claims)


def _dial(tenant: str, gateway: Gateway, *, endpoints_known: bool) -> tuple[tuple[str, ...], GatewayService | None]:
    """What to connect to: addresses, and the Service whose pods to prefer to them."""
    at = f"{DOCUMENT}: $.gateway"
    if gateway.protocol == "h2c":
        raise Rejected(f"{at}.protocol", "HTTP/2 to gateways is not supported yet; use http", "Unsupported")
    if gateway.balance == "endpoints" and not endpoints_known:
        raise Rejected(
            f"{at}.balance", "EndpointSlices are only known with the cluster as the source; use service", "Unsupported"
        )
    for number, address in enumerate(gateway.addresses):
        if split_address(address) is None:
            raise Rejected(f"{at}.addresses[{number}]", f'"{address}" is not "host:port" or "[IPv6 address]:port"')
    if gateway.addresses:
        return tuple(dict.fromkeys(gateway.addresses)), None
    namespace = gateway.namespace or f"{tenant}-gateway"
    for field, label in (("namespace", namespace), ("service", gateway.service)):
        if not is_label(label):
            raise Rejected(f"{at}.{field}", f'"{label}" is not a DNS label')
    service = GatewayService(namespace, gateway.service, gateway.port)
    if gateway.balance == "endpoints":
        return _service_address(service), service
    if isinstance(gateway.port, str):
        raise Rejected(f"{at}.port", "A Service is dialled by number; a name needs balance: endpoints")
    return _service_address(service), None


def _service_address(service: GatewayService) -> tuple[str, ...]:
    """A Service is dialled as `service.namespace.svc`, which a pod's search path completes in every cluster, whatever
    its cluster domain is."""
    return (f"{_service_name(service)}:{service.port}",) if isinstance(service.port, int) else ()


def _service_name(service: GatewayService) -> str:
    return f"{service.name}.{service.namespace}.svc"


def _name(gateway: Gateway, addresses: tuple[str, ...], service: GatewayService | None) -> str:
    """What a https gateway's certificate must carry: as written, else the host that is dialled."""
    at = f"{DOCUMENT}: $.gateway.serverName"
    if gateway.server_name:
        name = gateway.server_name.lower().removesuffix(".")
        if not (is_label(name) or is_hostname(name) or _is_address(name)):
            raise Rejected(at, f'"{gateway.server_name}" is not a DNS name or an IP address')
        return name
    if service is not None:
        return _service_name(service)
    hosts = {split[0] for address in addresses if (split := split_address(address)) is not None}
    if len(hosts) > 1 and gateway.protocol == "https":
        raise Rejected(at, "Needed with addresses of several hosts: the one name that their certificates carry")
    return min(hosts)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _trust(pem: str | None) -> str:
    """The CA certificates to verify the gateway against, as clean PEM; "" for the system's trust store."""
    if pem is None:
        return ""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
        for one in certificates:
            read_through(one)
    except MALFORMED:
        raise Rejected(CA, "Expected one or more certificates in PEM") from None
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates).decode()
