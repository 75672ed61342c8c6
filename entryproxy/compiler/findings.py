"""The closed set of words for findings about what objects mean (sources add their own about what can't be read), and
how a rejected object is told apart from a programming error."""

from __future__ import annotations

from typing import Literal

from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject

Reason = Literal[
    "InvalidObject",  # the document, a field or the label is not what it must be
    "Unsupported",  # understood, but this version or this source can't do it
    "DuplicateTenant",  # an older ConfigMap declares the same tenant
    "DuplicateSettings",  # an older ConfigMap holds the platform's settings
    "NoSettings",  # nothing declares the system domain
    "HostConflict",  # an older claim owns the host
    "HostReserved",  # hosts under the system domain can't be claimed
    "DuplicateDomain",  # the same domain twice in one tenant
    "UnknownKey",  # a key of the ConfigMap that nothing reads
    "NoEffect",  # a field that something else would have to be there for
    "UnknownTenant",  # a certificate of a tenant that no ConfigMap declares
    "InvalidCertificate",  # not a usable pair of certificate and key
    "CertificateNotYetValid",
    "CertificateExpired",
    "CertificateExpiring",
    "CertificateNames",  # SANs that its owner may not serve, or that can't be used
    "CertificateChain",  # the chain had to be put in order
    "NoEndpoints",  # nothing is known of the pods that `balance: endpoints` wants
    "UncoveredHost",  # no certificate covers a host that is served
]


class Rejected(Exception):  # noqa: N818 - a verdict on an object, not a failure of ours
    """An object can't come in force as written. field: the path inside the object; message: one sentence without the
    value of anything secret."""

    def __init__(self, field: str, message: str, reason: Reason = "InvalidObject") -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.reason = reason


def error(about: LabelledObject, reason: Reason, field: str, message: str) -> Finding:
    """The object, or the claim, is not in force as written."""
    return _finding("error", about, reason, field, message)


def warning(about: LabelledObject, reason: Reason, field: str, message: str) -> Finding:
    """In force, but look."""
    return _finding("warning", about, reason, field, message)


def _finding(
    severity: Literal["error", "warning"], about: LabelledObject, reason: Reason, field: str, message: str
) -> Finding:
    return Finding(
        severity=severity,
        reason=reason,
        object=about.reference,
        field=field,
        message=message,
        tenant=about.tenant,
        origin=about.origin,
    )
