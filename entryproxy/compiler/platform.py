"""The platform's ConfigMap → a draft: its settings, and the defaults that every tenant starts from."""

from __future__ import annotations

import ipaddress
from typing import Any

import msgspec

from entryproxy.compiler.documents import ParseYaml, decode, unknown_keys, validate
from entryproxy.compiler.findings import Rejected
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import is_hostname
from entryproxy.model.objects import LabelledConfigMap
from entryproxy.model.tenant import Platform, PlatformSpec

DOCUMENT = "settings.yaml"


class PlatformDraft(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """platform: without certificates yet. document: the raw mapping, whose limits and timeouts are the tenants'
    defaults."""

    platform: Platform
    document: dict[str, Any]


def parse_platform(source: LabelledConfigMap, parse_yaml: ParseYaml) -> tuple[PlatformDraft, list[Finding]]:
    """The draft and warnings about it; raises Rejected."""
    document = decode(source, DOCUMENT, parse_yaml)
    spec = validate(DOCUMENT, document, PlatformSpec)
    domain = spec.system_domain.lower().removesuffix(".")
    if not is_hostname(domain):
        raise Rejected(f"{DOCUMENT}: $.systemDomain", f'"{spec.system_domain}" is not a DNS name of two or more labels')
    platform = Platform(
        system_domain=domain,
        unknown_sni=spec.unknown_sni,
        https_redirect=spec.https_redirect,
        trusted_proxies=tuple(_network(number, text) for number, text in enumerate(spec.trusted_proxies)),
        tls_min_version=spec.tls.min_version,
        limits=spec.limits,
        timeouts=spec.timeouts,
        source=f"{source.namespace}/{source.name}",
    )
    return PlatformDraft(platform=platform, document=document), unknown_keys(source, (DOCUMENT,))


def _network(number: int, text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as problem:
        raise Rejected(
            f"{DOCUMENT}: $.trustedProxies[{number}]", f'"{text}" is not a network such as 10.0.0.0/8 or fd00::/8'
        ) from problem
