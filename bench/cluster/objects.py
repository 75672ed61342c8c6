"""Tenants by the thousand, as documents for the API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.contenders.entry import NAMESPACE, config_map, secret
from bench.site import SYSTEM_DOMAIN
from tests.certificates import Authority


def platform(authority: Authority) -> Iterator[dict[str, Any]]:
    """The namespace's settings and the platform's wildcard certificate."""
    yield _made_now(config_map("platform", "system", settings={"systemDomain": SYSTEM_DOMAIN}))
    pair = authority.issue(f"*.{SYSTEM_DOMAIN}")
    yield _made_now(secret("wildcard", "system", pair.chain_pem, pair.key_pem))


def tenants(authority: Authority, ids: Iterator[str], gateway: str = "") -> Iterator[dict[str, Any]]:
    """A ConfigMap and a Secret with a P-256 key of its own for each tenant. gateway: "host:port" for tenants that get
    traffic, "" for the Service of the usual name."""
    for tenant in ids:
        yield tenant_config(tenant, gateway)
        names = (f"*.{tenant}.{SYSTEM_DOMAIN}", f"{tenant}.{SYSTEM_DOMAIN}", domain_of(tenant))
        pair = authority.issue(*names)
        yield _made_now(secret(f"{tenant}-tls", tenant, pair.chain_pem, pair.key_pem))


def tenant_config(tenant: str, gateway: str = "", connections: int = 500) -> dict[str, Any]:
    """A tenant's ConfigMap as operators write them; `connections` is what the bench changes."""
    spec: dict[str, Any] = {"domains": [domain_of(tenant)], "limits": {"connections": connections}}
    if gateway:
        spec["gateway"] = {"addresses": [gateway]}
    return _made_now(config_map(tenant, tenant, tenant=spec))


def domain_of(tenant: str) -> str:
    """Its custom domain."""
    return f"app.{tenant}.example.org"


def path_of(tenant: str) -> str:
    """Of its ConfigMap."""
    return f"/api/v1/namespaces/{NAMESPACE}/configmaps/{tenant}"


def _made_now(document: dict[str, Any]) -> dict[str, Any]:
    """The API server says itself when an object was made."""
    document["metadata"].pop("creationTimestamp", None)
    return document
