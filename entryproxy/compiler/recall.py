"""A snapshot in force → the entries that it came of, for a compiler without a memory of its own.

What a control process knew of last good versions dies with it; what came of them is still in force in the workers. An
object that is broken when the next control process reads it falls back on this. Defaults are merged and lost claims
left out already, so a recalled tenant has the limits that it had, whatever the platform's become meanwhile.
"""

from __future__ import annotations

from typing import Any

import msgspec

from entryproxy.compiler.certificates import CheckedPair
from entryproxy.compiler.parsing import Entry
from entryproxy.compiler.platform import PlatformDraft
from entryproxy.compiler.tenants import TenantDraft
from entryproxy.model.certificate import Certificate
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import LabelledConfigMap, LabelledSecret, ReleaseState
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Limits, Platform, Tenant, Timeouts


def recall(running: Snapshot) -> list[Entry]:
    """An entry for each ConfigMap and Secret in force, uid unknown, and older than other claims: it owns its hosts."""
    platform = running.platform
    entries = [_recall_config_map(platform.source, SYSTEM, recall_settings(platform))]
    entries += map(_recall_secret, platform.certificates)
    for tenant in running.tenants.values():
        state: ReleaseState = "failed" if tenant.provisioning == "failed" else "unknown"
        entries.append(_recall_config_map(tenant.source, tenant.id, _recall_tenant(tenant), state))
        entries += map(_recall_secret, tenant.certificates)
    return entries


def recall_settings(platform: Platform) -> PlatformDraft:
    """The settings in force, with the defaults that tenants get from them."""
    return PlatformDraft(
        platform=msgspec.structs.replace(platform, certificates=()),
        document=_document(platform.limits, platform.timeouts),
    )


def _recall_tenant(tenant: Tenant) -> TenantDraft:
    return TenantDraft(
        id=tenant.id,
        domains=tenant.domains,
        gateway_addresses=tenant.gateway_addresses,
        service=tenant.gateway_service,
        gateway_protocol=tenant.gateway_protocol,
        gateway_name=tenant.gateway_name,
        gateway_ca_pem=tenant.gateway_ca_pem,
        has_release=tenant.provisioning != "",
        https_redirect=tenant.https_redirect,
        hsts=tenant.hsts,
        document=_document(tenant.limits, tenant.timeouts),
    )


def _document(limits: Limits, timeouts: Timeouts) -> dict[str, Any]:
    """As it would be written, every field of it."""
    return {"limits": msgspec.to_builtins(limits), "timeouts": msgspec.to_builtins(timeouts)}


def _recall_config_map(
    reference: str, tenant: str, draft: TenantDraft | PlatformDraft, state: ReleaseState = "unknown"
) -> Entry:
    namespace, _, name = reference.partition("/")
    source = LabelledConfigMap(namespace=namespace, name=name, tenant=tenant, created="", data={}, release_state=state)
    return Entry(source, draft, ())


def _recall_secret(certificate: Certificate) -> Entry:
    namespace, _, name = certificate.source.partition("/")
    source = LabelledSecret(
        namespace=namespace,
        name=name,
        tenant=certificate.owner,
        created="",
        certificate_pem=certificate.chain_pem,
        key_pem=certificate.key_pem,
    )
    pair = CheckedPair(
        names=certificate.names,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        fingerprint=certificate.fingerprint,
        chain_pem=certificate.chain_pem,
        key_pem=certificate.key_pem,
        remarks=(),
    )
    return Entry(source, pair, ())
