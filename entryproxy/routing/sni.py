"""From the name in a ClientHello to the certificates that may answer: routing rules 4, 5 and 6 of the contract.

The first law is that nobody ever gets a neighbour's certificate: a certificate is looked at only when its owner may
serve the name. Validity comes before exactness: a wildcard that is valid now beats an exact certificate that has
expired, and an expired one is still better than nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from entryproxy.model.certificate import Certificate
from entryproxy.model.hostname import SYSTEM, is_hostname, is_ip_literal, wildcard_of
from entryproxy.routing.match import owner_of, parse_system_host
from entryproxy.routing.table import Table, certificates_of

Refusal = Literal["", "no_sni", "unknown_name", "uncovered_name", "no_certificate"]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a handshake for one name may use.

    candidates: best first, empty exactly when refused. tenant_id: the tenant that the name leads to, "" for none.
    any_host: the client named no host (no SNI, or an address in it), so the Host of each request decides alone;
    otherwise every request's tenant must be `tenant_id`, else 421 (rule 5). covered: the candidates' SANs cover the
    name. reason, detail: why it is refused, as a word for metrics and a sentence for people; "" when it is not.
    """

    candidates: tuple[Certificate, ...] = ()
    tenant_id: str = ""
    any_host: bool = False
    covered: bool = False
    reason: Refusal = ""
    detail: str = ""

    @property
    def refused(self) -> bool:
        """The handshake ends with the alert unrecognized_name (RFC 6066 §3)."""
        return not self.candidates


def choose_certificate(table: Table, name: str | None, now: float) -> Choice:
    """The certificates for a server name as the ClientHello carries it (None: no SNI); `now` in Unix seconds."""
    host = (name or "").lower().removesuffix(".")
    if not host or is_ip_literal(host):
        return _by_unknown_sni(table, now, "no_sni", "The client named no host in its TLS handshake.", any_host=True)
    system_host = parse_system_host(host, table.platform.system_domain)
    if system_host is not None:
        registered = system_host.tenant_id in table.tenants
        return _for_system_host(table, host, system_host.tenant_id if registered else "", now)
    owner = owner_of(table, host)
    if owner is None:
        return _by_unknown_sni(table, now, "unknown_name", "No tenant serves this name.")
    candidates = _covering(table, host, (owner.id,), now)
    if candidates:
        return Choice(candidates=candidates, tenant_id=owner.id, covered=True)
    return _by_unknown_sni(
        table, now, "uncovered_name", "The name's tenant has no certificate that covers it.", tenant_id=owner.id
    )


def _for_system_host(table: Table, host: str, tenant_id: str, now: float) -> Choice:
    owners = (SYSTEM, tenant_id) if tenant_id else (SYSTEM,)
    candidates = _covering(table, host, owners, now)
    if candidates:
        return Choice(candidates=candidates, tenant_id=tenant_id, covered=True)
    fallback = _of_platform(table, now, closest_to=wildcard_of(f"x.{table.platform.system_domain}"))
    if fallback:
        return Choice(candidates=fallback, tenant_id=tenant_id)
    return Choice(tenant_id=tenant_id, reason="no_certificate", detail="The platform has no certificate.")


def _by_unknown_sni(
    table: Table, now: float, reason: Refusal, detail: str, *, tenant_id: str = "", any_host: bool = False
) -> Choice:
    """Rule `unknownSni`: refuse, or serve the first system certificate, which the client then judges."""
    if table.platform.unknown_sni == "default":
        candidates = _of_platform(table, now)
        if candidates:
            return Choice(candidates=candidates, tenant_id=tenant_id, any_host=any_host)
        reason, detail = "no_certificate", "The platform has no certificate."
    return Choice(tenant_id=tenant_id, any_host=any_host, reason=reason, detail=detail)


def _covering(table: Table, host: str, owners: tuple[str, ...], now: float) -> tuple[Certificate, ...]:
    """Certificates of these owners that cover `host`: valid now, then exact, then the one that expires last."""
    if not is_hostname(host):
        return ()
    wildcard = wildcard_of(host)
    found = [
        one for owner in owners for one in certificates_of(table, owner) if host in one.names or wildcard in one.names
    ]
    if len(found) > 1:
        found.sort(key=lambda one: (_invalidity(one, now), host not in one.names, -one.not_after, one.source))
    return tuple(found)


def _of_platform(table: Table, now: float, closest_to: str = "") -> tuple[Certificate, ...]:
    """The platform's certificates in the platform's order, valid ones first, those that carry `closest_to` before
    others."""
    certificates = table.platform.certificates
    if len(certificates) < 2:
        return certificates
    return tuple(sorted(certificates, key=lambda one: (_invalidity(one, now), closest_to not in one.names)))


def _invalidity(certificate: Certificate, now: float) -> int:
    """0 valid now, 1 expired (served all the same), 2 not yet valid (never before another)."""
    if now < certificate.not_before:
        return 2
    return 1 if now > certificate.not_after else 0
