"""What the controller says of a tenant's gateway, in an annotation of the tenant's ConfigMap.

People read it with `kubectl get -o yaml` and `entryproxy tenant show`; the entry reads whether there has ever been a
gateway; the controller reads what it tried last.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

ConditionType = Literal["Ready", "Provisioned", "Progressing"]
Phase = Literal["Provisioning", "Ready", "Upgrading", "RollingBack", "Failed", "Removing", "Removed", "Unmanaged"]
"""Where a tenant's gateway stands, in one word."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition. last_transition_time: RFC 3339, when the status (not only the reason) last changed."""

    type: ConditionType
    status: Literal["True", "False"]
    reason: str
    message: str
    last_transition_time: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the last operations on a release came to. digest: of the desired release that failed; failures: in a row
    with this digest; not_before: Unix seconds; message: one sentence."""

    digest: str = ""
    failures: int = 0
    not_before: float = 0.0
    message: str = ""


class TenantStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """phase, reason, message: of the last plan. revision: the deployed one, 0 for none. namespace: of the release.
    next_retry: RFC 3339, "" when nothing is waited for. has_served: the gateway was available once, so that what the
    entry meets now is an outage rather than a beginning. document: the `document_digest` of the `tenant.yaml` that all
    of this is about."""

    phase: Phase
    reason: str = ""
    message: str = ""
    namespace: str = ""
    chart_version: str = ""
    revision: int = 0
    next_retry: str = ""
    has_served: bool = False
    document: str = ""
    conditions: tuple[Condition, ...] = ()
    attempt: Attempt = Attempt()


def document_digest(text: str) -> str:
    """Tells two texts of `tenant.yaml` apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_decode = msgspec.json.Decoder(TenantStatus).decode


def encode_status(status: TenantStatus) -> str:
    """For the annotation."""
    return msgspec.json.encode(status).decode()


def decode_status(text: str) -> TenantStatus | None:
    """What the annotation says; None if it isn't there or somebody else wrote it."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
