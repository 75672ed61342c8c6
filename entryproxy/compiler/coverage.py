"""Which names an owner may serve (routing rule 4), and whether a host is covered by them (rule 6)."""

from __future__ import annotations

from collections.abc import Iterable, Set

from entryproxy.model.hostname import SYSTEM, is_under, wildcard_of


class CustomHosts:
    """The domains of one tenant, asked about thousands of names."""

    __slots__ = ("_domains", "_wildcards_over")

    def __init__(self, domains: Iterable[str]) -> None:
        self._domains = frozenset(domains)
        self._wildcards_over = frozenset(map(wildcard_of, self._domains))

    def meet(self, name: str) -> bool:
        """Whether a certificate's name, exact or wildcard, covers at least one host of them."""
        return name in self._domains or name in self._wildcards_over or wildcard_of(name) in self._domains


def may_serve(name: str, owner: str, hosts: CustomHosts, system_domain: str) -> bool:
    """Whether a certificate's name, exact or wildcard, covers at least one host of its owner.

    The platform serves system hosts, a tenant its own system hosts and the custom hosts that it owns.
    """
    if is_under(name, system_domain):
        labels = name[: -len(system_domain)].removesuffix(".").split(".")  # [""] for the system domain itself
        return labels != [""] and len(labels) <= 2 and (owner == SYSTEM or labels[-1] in (owner, "*"))
    return owner != SYSTEM and hosts.meet(name)


def is_covered(host: str, names: Set[str]) -> bool:
    """Whether one of the certificate names covers `host`; a wildcard is covered by the same wildcard only."""
    return host in names or (not host.startswith("*.") and wildcard_of(host) in names)
