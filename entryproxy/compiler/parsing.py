"""One object → what it means on its own, remembered by object, with the last good version behind a bad one.

Recompiling ten thousand objects after one change asks for each of them whether it is the same object as before; only
the one that changed is parsed again.
"""

from __future__ import annotations

import math

import msgspec

from entryproxy.compiler.certificates import CERTIFICATE, CheckedPair, check_pair
from entryproxy.compiler.documents import ParseYaml
from entryproxy.compiler.findings import Rejected, error, warning
from entryproxy.compiler.platform import PlatformDraft, parse_platform
from entryproxy.compiler.tenants import TenantDraft, check_tenant_id, parse_tenant
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import LabelledConfigMap, LabelledEndpointSlice, LabelledObject, LabelledSecret
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.times import rfc3339

EXPIRY_WARNING_SECONDS = 21 * 86_400.0

Draft = TenantDraft | PlatformDraft | CheckedPair
"""What an object means on its own; an EndpointSlice means nothing without the tenant's ConfigMap."""


class Meaning(msgspec.Struct, frozen=True, array_like=True):
    """An entry without its object, as it travels between processes: the pair of a Secret lacks the key."""

    draft: Draft | None
    findings: tuple[Finding, ...]
    stale_at: float


_NO_KEY = PrivateBytes(b"")


class Entry:
    """One object and its meaning. draft: of this version, or of the last good one when this one was rejected, or None.

    is_new: no version of this object came before, though one of another object with its name may have.
    stale_at: Unix seconds from when the same object means something else (a certificate begins, or nears its end).
    """

    __slots__ = ("draft", "findings", "is_new", "precedence", "source", "stale_at", "tenant")

    def __init__(
        self, source: LabelledObject, draft: Draft | None, findings: tuple[Finding, ...], stale_at: float = math.inf
    ) -> None:
        self.source = source
        self.tenant = source.tenant
        self.draft = draft
        self.findings = findings
        self.stale_at = stale_at
        self.is_new = True
        self.precedence = (source.created, source.namespace, source.name)

    @classmethod
    def of(cls, source: LabelledObject, meaning: Meaning) -> Entry:
        """What `source` was found to mean elsewhere."""
        draft = meaning.draft
        if isinstance(draft, CheckedPair) and isinstance(source, LabelledSecret):
            draft = msgspec.structs.replace(draft, key_pem=source.key_pem)
        return cls(source, draft, meaning.findings, meaning.stale_at)

    @property
    def meaning(self) -> Meaning:
        draft = self.draft
        if isinstance(draft, CheckedPair):
            draft = msgspec.structs.replace(draft, key_pem=_NO_KEY)
        return Meaning(draft, self.findings, self.stale_at)


class Parser:
    """Parses objects, one at a time; holds no memory of its own: the last version comes as an argument."""

    def __init__(self, parse_yaml: ParseYaml, *, endpoints_known: bool) -> None:
        self._parse_yaml = parse_yaml
        self._endpoints_known = endpoints_known

    def parse(self, source: LabelledObject, previous: Entry | None, now: float) -> Entry:
        """The entry for `source`; a draft of `previous` stays in force where this version is not usable."""
        last = previous if previous is not None and _is_same(previous.source, source) else None
        entry = self._judge(source, last.draft if last is not None else None, now)
        entry.is_new = last is None
        return entry

    def _judge(self, source: LabelledObject, good: Draft | None, now: float) -> Entry:
        try:
            if isinstance(source, LabelledSecret):
                return self._parse_secret(source, good, now)
            if isinstance(source, LabelledEndpointSlice):
                return Entry(source, None, ())
            draft, findings = self._parse_config_map(source)
            return Entry(source, draft, tuple(findings))
        except Rejected as rejected:
            return Entry(source, good, (_explain(source, rejected, good),))
        except Exception as defect:
            # Whatever somebody's text brings to light concerns one object. Only the type is told: the rest may quote a
            # key.
            message = f"It can't be judged ({type(defect).__name__}), which is a defect; please report it"
            return Entry(source, good, (_explain(source, Rejected("", message), good),))

    def _parse_config_map(self, source: LabelledConfigMap) -> tuple[Draft, list[Finding]]:
        if source.tenant == SYSTEM:
            return parse_platform(source, self._parse_yaml)
        return parse_tenant(source, self._parse_yaml, endpoints_known=self._endpoints_known)

    def _parse_secret(self, source: LabelledSecret, good: Draft | None, now: float) -> Entry:
        if source.tenant != SYSTEM:
            check_tenant_id(source.tenant)
        pair = check_pair(source.certificate_pem, source.key_pem)
        if now < pair.not_before:
            message = f"Not valid before {rfc3339(pair.not_before)}{_consequence(good)}"
            return Entry(
                source, good, (error(source, "CertificateNotYetValid", CERTIFICATE, message),), pair.not_before
            )
        findings = [warning(source, reason, CERTIFICATE, sentence) for reason, sentence in pair.remarks]
        expiry, stale_at = _judge_expiry(source, pair, now)
        return Entry(source, pair, (*findings, *expiry), stale_at)


def _judge_expiry(source: LabelledSecret, pair: CheckedPair, now: float) -> tuple[list[Finding], float]:
    """Warnings about the end of validity, and when this judgement changes."""
    if now < pair.not_after - EXPIRY_WARNING_SECONDS:
        return [], pair.not_after - EXPIRY_WARNING_SECONDS
    end = rfc3339(pair.not_after)
    if now <= pair.not_after:
        return [warning(source, "CertificateExpiring", CERTIFICATE, f"Expires at {end}")], pair.not_after + 1.0
    message = f"Expired at {end}; it is still served, because that is better than nothing"
    return [warning(source, "CertificateExpired", CERTIFICATE, message)], math.inf


def _is_same(one: LabelledObject, other: LabelledObject) -> bool:
    """Versions of one object that speak for the same tenant; an object made anew under an old name has no last
    version. A uid that isn't known, as of what was recalled, tells nothing."""
    if one.uid != other.uid and one.uid and other.uid:
        return False
    return type(one) is type(other) and one.tenant == other.tenant


def _explain(source: LabelledObject, rejected: Rejected, good: Draft | None) -> Finding:
    return error(source, rejected.reason, rejected.field, rejected.message + _consequence(good))


def _consequence(good: Draft | None) -> str:
    return "; the last good version stays in force" if good is not None else "; the object is not in force"
