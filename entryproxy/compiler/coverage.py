"""Which names an owner may serve (routing rule 4), and whether a host is covered by them (rule 6)."""

from __future__ import annotations

from collections.abc import Iterable, Set

from entryproxy.model.hostname import SYSTEM, covers, is_under, wildcard_of


def may_serve(name: str, owner: str, domains: Iterable[str], system_domain: str) -> bool:
    """Whether a certificate's name, exact or wildcard, covers at least one host of its owner.

    The platform serves system hosts, a tenant its own system hosts and the custom hosts that it owns.
    """
    if is_under(name, system_domain):
        labels = name[: -len(system_domain)].removesuffix(".").split(".")  # [""] for the system domain itself
        return labels != [""] and len(labels) <= 2 and (owner == SYSTEM or labels[-1] in (owner, "*"))
    return owner != SYSTEM and any(covers(name, domain) or covers(domain, name) for domain in domains)


def is_covered(host: str, names: Set[str]) -> bool:
    """Whether one of the certificate names covers `host`; a wildcard is covered by the same wildcard only."""
    return host in names or (not host.startswith("*.") and wildcard_of(host) in names)
