"""Small snapshots for tests of decisions; certificates here hold no real material."""

from __future__ import annotations

from typing import Any

from entryproxy.model.certificate import Certificate
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform, Tenant

DOMAIN = "aigw.example.com"
NOW = 1_800_000_000.0
DAY = 86_400.0


def certificate(owner: str, *names: str, start: float = -1, end: float = 90, source: str = "") -> Certificate:
    """Valid from `start` to `end`, in days from NOW."""
    return Certificate(
        owner=owner,
        source=source or f"higress-system/{owner}-{'+'.join(names)}",
        names=names,
        not_before=NOW + start * DAY,
        not_after=NOW + end * DAY,
        fingerprint=f"{owner} {names} {start} {end}",
        chain_pem=b"chain",
        key_pem=PrivateBytes(b"key"),
    )


def tenant(id_: str, *domains: str, certificates: tuple[Certificate, ...] = (), **fields: Any) -> Tenant:
    return Tenant(
        id=id_,
        domains=domains,
        gateway_addresses=fields.pop("gateway_addresses", (f"{id_}.test:80",)),
        certificates=certificates,
        **fields,
    )


def snapshot(*tenants: Tenant, certificates: tuple[Certificate, ...] = (), **platform: Any) -> Snapshot:
    return Snapshot.build(Platform(system_domain=DOMAIN, certificates=certificates, **platform), tenants)
