"""The closed set of words for what conflicts or can't be kept."""

from __future__ import annotations

from typing import Literal

from entryproxy.migrate.inventory import ConfigMap, Ingress
from entryproxy.model.finding import Finding

Reason = Literal[
    "TenantProposed",  # nothing says which tenant a namespace belongs to, so its name is proposed
    "TenantUnknown",  # nothing says it, and the name is no tenant id
    "InvalidHost",  # no host name, or a wildcard over more than one label
    "SystemHost",  # under the system domain, but not [service.]tenant.<system domain>
    "SystemHostMismatch",  # the host says another tenant than the Ingress
    "HostConflict",  # several tenants claim the same host and path
    "PathSplit",  # several tenants share a host by paths
    "CatchAll",  # a rule without a host
    "DefaultBackend",  # spec.defaultBackend
    "Passthrough",  # ssl-passthrough
    "MixedRedirect",  # some hosts of a tenant redirect to https, some don't
    "HostWithoutTls",
    "DefaultCertificate",  # spec.tls without a Secret
    "MissingSecret",
    "InvalidCertificate",
    "CertificateNames",  # the certificate doesn't cover the host
    "CrossNamespaceService",  # a Service of type ExternalName leads into another namespace
    "ExternalService",  # … out of the cluster
    "StreamService",  # a TCP or UDP service
    "TrustedProxies",  # everybody's X-Forwarded-* was believed
    "OtherController",  # one more ConfigMap that looks like the controller's
    "ExternalDns",  # external-dns publishes the Ingress's address
]


def error(about: Ingress | ConfigMap, reason: Reason, field: str, message: str, tenant: str = "") -> Finding:
    """It conflicts, or can't be kept."""
    return _finding("error", about, reason, field, message, tenant)


def warning(about: Ingress | ConfigMap, reason: Reason, field: str, message: str, tenant: str = "") -> Finding:
    """It maps, but look."""
    return _finding("warning", about, reason, field, message, tenant)


def _finding(
    severity: Literal["error", "warning"],
    about: Ingress | ConfigMap,
    reason: Reason,
    field: str,
    message: str,
    tenant: str,
) -> Finding:
    origin = about.origin if isinstance(about, Ingress) else ""
    return Finding(
        severity=severity,
        reason=reason,
        object=about.reference,
        field=field,
        message=message,
        tenant=tenant,
        origin=origin,
    )
