"""What somebody wants of a tenant, and the documents that come of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from entryproxy.authoring.objects import Manifest, config_map, tls_secret
from entryproxy.compiler.tenants import CA, DOCUMENT
from entryproxy.model.secret import PrivateBytes


class WantedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A pair for a Secret of this name, as it was read and not judged yet. origin: the files, as they were named."""

    name: str
    certificate_pem: bytes
    key_pem: PrivateBytes
    origin: tuple[str, str]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """fields: path in `tenant.yaml` ("gateway.port") → value, only what was asked for. gateway_ca_pem: None when not
    asked for."""

    tenant: str
    namespace: str
    fields: Mapping[str, Any]
    gateway_ca_pem: str | None = None
    certificates: tuple[WantedCertificate, ...] = ()


def overlay(document: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with the wanted fields in place of its own; everything else stays as it is. Raises TypeError when a
    field lies inside something that is no mapping."""
    result = copy.deepcopy(dict(document))
    for path, value in fields.items():
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            # A part that is written down empty ("limits:") is null.
            inner = place.get(parent)
            if inner is None:
                inner = place[parent] = {}
            if not isinstance(inner, dict):
                raise TypeError(f"{parent} is not a mapping")
            place = inner
        place[last] = list(value) if isinstance(value, tuple) else value
    return result


def tenant_manifest(
    wish: Wish,
    write_yaml: Callable[[object], str],
    present: Mapping[str, str] | None = None,
    document: Mapping[str, Any] | None = None,
) -> Manifest:
    """The tenant's ConfigMap, which has the tenant's name.

    present: the keys that it has already, document: what its `tenant.yaml` says. Nothing asked for leaves the text as
    it is, comments included.
    """
    data = {key: text for key, text in (present or {}).items() if key in (DOCUMENT, CA)}
    if wish.fields:
        data[DOCUMENT] = write_yaml(overlay(document or {}, wish.fields))
    if wish.gateway_ca_pem is not None:
        data[CA] = wish.gateway_ca_pem
    return config_map(wish.namespace, wish.tenant, wish.tenant, data)


def certificate_manifest(wish: Wish, wanted: WantedCertificate) -> Manifest:
    """One Secret; see `tls_secret` about what it holds."""
    return tls_secret(wish.namespace, wanted.name, wish.tenant, wanted.certificate_pem, wanted.key_pem)
