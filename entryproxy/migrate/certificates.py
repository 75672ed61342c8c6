"""`spec.tls` of the Ingresses → the Secrets that the entry needs in its own namespace, with its label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from cryptography import x509

from entryproxy.compiler.certificates import check_pair
from entryproxy.compiler.coverage import is_covered
from entryproxy.compiler.findings import Rejected
from entryproxy.migrate.claims import HostPlan
from entryproxy.migrate.findings import Reason, error, warning
from entryproxy.migrate.inventory import Ingress, Inventory, Name
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM, covers
from entryproxy.model.secret import PrivateBytes

CLUSTER_ISSUER = "cert-manager.io/cluster-issuer"
ISSUER = "cert-manager.io/issuer"
_ISSUER_KIND = "cert-manager.io/issuer-kind"
_ISSUER_GROUP = "cert-manager.io/issuer-group"

_UNREADABLE = (
    ValueError,
    IndexError,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

How = Literal["secret", "issuer", "command"]
"""secret: the pair is written out. issuer: a Certificate for cert-manager is. command: the operator copies it."""


class Issuer(msgspec.Struct, frozen=True):
    """cert-manager's issuer, as a Certificate names it."""

    name: str
    kind: str
    group: str


class CertificatePlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One Secret to be. source: "namespace/name" today. name: in the entry's namespace. owner: tenant id or "system".
    hosts: those that it serves, and those that its Ingresses list for it."""

    source: str
    name: str
    owner: str
    hosts: tuple[str, ...]
    how: How
    issuer: Issuer | None = None


class Pair(msgspec.Struct, frozen=True):
    """Material of a CertificatePlan that is written out."""

    certificate_pem: bytes
    key_pem: PrivateBytes


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """plans: by owner and name. sources: host → "namespace/name" of the Secret that serves it. with_tls: the hosts that
    were asked for by https. findings: by host. pairs: by name of the plan."""

    plans: tuple[CertificatePlan, ...]
    sources: Mapping[str, str]
    with_tls: frozenset[str]
    findings: Mapping[str, tuple[Finding, ...]]
    pairs: Mapping[str, Pair]


def plan_certificates(hosts: Iterable[HostPlan], inventory: Inventory, system_domain: str) -> Certificates:
    """Which Secret serves which host, and how it gets to the entry. Pairs are written out where the inventory has
    keys."""
    planner = _Planner(inventory, system_domain)
    for host in hosts:
        if host.is_served:
            planner.add(host)
    return planner.finish()


def names_of(certificate_pem: bytes) -> frozenset[str] | None:
    """DNS SANs of the leaf in lower case, None when it can't be read."""
    try:
        leaf = x509.load_pem_x509_certificates(certificate_pem)[0]
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _UNREADABLE:
        return None
    return frozenset(name.lower().removesuffix(".") for name in san.get_values_for_type(x509.DNSName))


class _Planner:
    def __init__(self, inventory: Inventory, system_domain: str) -> None:
        self._inventory = inventory
        self._system_domain = system_domain
        self._names = {name: names_of(secret.certificate_pem) for name, secret in inventory.secrets.items()}
        self._sources: dict[str, str] = {}
        self._with_tls: set[str] = set()
        self._findings: dict[str, list[Finding]] = {}
        self._uses: dict[tuple[str, Name], list[tuple[str, Ingress]]] = {}

    def add(self, host: HostPlan) -> None:
        """One served host: find its Secret as ingress-nginx does, the oldest Ingress first."""
        for claim in host.claims:
            block = self._block_for(host.host, claim.ingress)
            if block is None:
                continue
            self._with_tls.add(host.host)
            if not block[1]:
                self._default(host, claim.ingress)
                return
            self._use(host, claim.ingress, block)
            return
        if not host.is_system:
            message = f'"{host.host}" was served in the clear only: the entry needs a certificate for it'
            self._note("error", host, host.claims[0].ingress, "HostWithoutTls", message)

    def _block_for(self, host: str, ingress: Ingress) -> Name | None:
        """The Secret of the block that lists the host, else of one whose certificate covers it."""
        for block in ingress.tls:
            if any(covers(one, host) for one in block.hosts):
                return ingress.namespace, block.secret
        for block in ingress.tls:
            source = (ingress.namespace, block.secret)
            if is_covered(host, self._names.get(source) or frozenset()):
                return source
        return None

    def _default(self, host: HostPlan, ingress: Ingress) -> None:
        if not host.is_system:
            message = (
                f'"{host.host}" had the controller\'s default certificate (--default-ssl-certificate): copy it for the '
                "tenant"
            )
            self._note("error", host, ingress, "DefaultCertificate", message)

    def _use(self, host: HostPlan, ingress: Ingress, source: Name) -> None:
        self._sources[host.host] = f"{source[0]}/{source[1]}"
        label = f"Secret {self._sources[host.host]}"
        names = self._names.get(source)
        is_usable = issuer_of(ingress) is not None
        if source not in self._inventory.secrets:
            if source in self._inventory.missing or self._inventory.secrets:
                self._note("error", host, ingress, "MissingSecret", f"{label} is not there")
            else:
                is_usable = True
                message = f"{label} is not among what was read, so nobody checked that it covers the host"
                self._note("warning", host, ingress, "MissingSecret", message)
        elif names is None:
            self._note("error", host, ingress, "InvalidCertificate", f"{label} holds no certificate with host names")
        elif not is_covered(host.host, names):
            message = f"{label} is for {', '.join(sorted(names))}, not for this host"
            self._note("error", host, ingress, "CertificateNames", message)
        else:
            is_usable = True
        if is_usable:
            self._uses.setdefault((self._owner(host, names), source), []).append((host.host, ingress))

    def _owner(self, host: HostPlan, names: frozenset[str] | None) -> str:
        """The wildcard right under the system domain is the platform's, whoever brings it along."""
        return SYSTEM if names and host.is_system and f"*.{self._system_domain}" in names else host.tenant

    def _note(self, severity: str, host: HostPlan, ingress: Ingress, reason: Reason, message: str) -> None:
        finding = (error if severity == "error" else warning)(ingress, reason, "spec.tls", message, host.tenant)
        self._findings.setdefault(host.host, []).append(finding)

    def finish(self) -> Certificates:
        plans: dict[str, CertificatePlan] = {}
        pairs: dict[str, Pair] = {}
        for (owner, source), uses in sorted(self._uses.items()):
            name = _name(owner, source)
            name = name if name not in plans else f"{owner}-{source[0]}-{source[1]}"
            pair = self._pair(source, uses)
            issuer = next((found for _, ingress in uses if (found := issuer_of(ingress)) is not None), None)
            if pair is not None:
                pairs[name] = pair
            plans[name] = CertificatePlan(
                source=f"{source[0]}/{source[1]}",
                name=name,
                owner=owner,
                hosts=_listed(uses, source),
                how="issuer" if issuer else "secret" if pair else "command",
                issuer=issuer,
            )
        return Certificates(
            plans=tuple(plans.values()),
            sources=self._sources,
            with_tls=frozenset(self._with_tls),
            findings={host: tuple(findings) for host, findings in self._findings.items()},
            pairs=pairs,
        )

    def _pair(self, source: Name, uses: Sequence[tuple[str, Ingress]]) -> Pair | None:
        """The pair if its key is known and the entry would take it; a finding if it wouldn't."""
        secret = self._inventory.secrets.get(source)
        names = self._names.get(source) or frozenset()
        if secret is None or secret.key_pem is None or not any(is_covered(host, names) for host, _ in uses):
            return None
        try:
            check_pair(secret.certificate_pem, secret.key_pem)
        except Rejected as problem:
            host, ingress = uses[0]
            message = f"Secret {source[0]}/{source[1]} {problem.field}: {problem.message}"
            self._findings.setdefault(host, []).append(error(ingress, "InvalidCertificate", "spec.tls", message))
            return None
        return Pair(secret.certificate_pem, secret.key_pem)


def issuer_of(ingress: Ingress) -> Issuer | None:
    """Who issues the Ingress's certificates, by cert-manager's annotations."""
    annotations = ingress.annotations
    if name := annotations.get(CLUSTER_ISSUER):
        return Issuer(name, "ClusterIssuer", "cert-manager.io")
    if name := annotations.get(ISSUER):
        group = annotations.get(_ISSUER_GROUP, "cert-manager.io")
        return Issuer(name, annotations.get(_ISSUER_KIND, "Issuer"), group)
    return None


def _name(owner: str, source: Name) -> str:
    """It says whose it is, once."""
    return source[1] if source[1].startswith(f"{owner}-") else f"{owner}-{source[1]}"


def _listed(uses: Sequence[tuple[str, Ingress]], source: Name) -> tuple[str, ...]:
    hosts = {host for host, _ in uses}
    for _, ingress in uses:
        hosts.update(host for block in ingress.tls if block.secret == source[1] for host in block.hosts)
    return tuple(sorted(hosts))
