from __future__ import annotations

from typing import Any

import pytest

from entryproxy.migrate.certificates import CLUSTER_ISSUER, ISSUER, Issuer, issuer_of, names_of
from entryproxy.migrate.inventory import Ingress, TlsBlock, TlsSecret
from entryproxy.migrate.plan import Plan, Wishes, make_plan
from entryproxy.model.secret import PrivateBytes
from tests.certificates import Authority
from tests.migrate.builders import DOMAIN, ingress, inventory, reasons

AUTHORITY = Authority()


def secret(*names: str, namespace: str = "acme-gateway", name: str = "tls", with_key: bool = False) -> TlsSecret:
    pair = AUTHORITY.issue(*names)
    return TlsSecret(
        namespace=namespace,
        name=name,
        certificate_pem=pair.chain_pem.encode(),
        key_pem=PrivateBytes(pair.key_pem.encode()) if with_key else None,
    )


def plan(*things: Any, missing: tuple[tuple[str, str], ...] = ()) -> Plan:
    found = inventory(*(one for one in things if isinstance(one, Ingress)))
    found.secrets = {(one.namespace, one.name): one for one in things if isinstance(one, TlsSecret)}
    found.missing = set(missing)
    return make_plan(found, Wishes(system_domain=DOMAIN))


def certificates(found: Plan) -> list[tuple[str, str, str]]:
    """owner, source and name of each."""
    owned = [*found.report.settings.certificates, *(one for t in found.report.tenants for one in t.certificates)]
    return [(one.owner, one.source, one.name) for one in owned]


def test_a_secret_that_covers_its_hosts() -> None:
    found = plan(ingress("a.com", "b.com"), secret("a.com", "*.com", "b.com"))
    assert certificates(found) == [("acme", "acme-gateway/tls", "acme-tls")]
    assert reasons(found) == []
    assert found.report.is_clean
    assert not found.pairs


def test_one_that_does_not() -> None:
    found = plan(ingress("a.com"), secret("b.com"))
    assert reasons(found) == ["CertificateNames"]
    assert not found.report.is_clean


def test_what_serves_nobody_is_not_copied() -> None:
    assert certificates(plan(ingress("a.com"), secret("b.com", with_key=True))) == []
    assert certificates(plan(ingress("a.com"), missing=(("acme-gateway", "tls"),))) == []
    issued = ingress("a.com", annotations={CLUSTER_ISSUER: "le"})
    found = plan(issued, secret("b.com", with_key=True))
    assert certificates(found) == [("acme", "acme-gateway/tls", "acme-tls")], "cert-manager will make a better one"
    assert not found.pairs


def test_a_block_that_lists_nothing_is_chosen_by_its_certificate() -> None:
    one = ingress("a.com", tls=())
    blocks = (TlsBlock(("x.com",), "x"), TlsBlock((), "other"), TlsBlock((), "tls"))
    found = plan(
        Ingress(namespace=one.namespace, name="w", ingress_class="nginx", rules=one.rules, tls=blocks),
        secret("*.com", "a.com"),
        secret("other.com", name="other"),
    )
    assert certificates(found) == [("acme", "acme-gateway/tls", "acme-tls")]


def test_a_wildcard_in_the_block() -> None:
    assert reasons(plan(ingress("a.b.com", tls=("*.b.com",)), secret("*.b.com"))) == []


@pytest.mark.parametrize(
    ("things", "missing", "severity"),
    [
        ([], (), "warning"),  # a folder without any Secret says nothing about this one
        ([secret("x.com", name="x")], (), "error"),
        ([], (("acme-gateway", "tls"),), "error"),
    ],
)
def test_missing(things: list[TlsSecret], missing: tuple[tuple[str, str], ...], severity: str) -> None:
    found = plan(ingress("a.com"), *things, missing=missing)
    (finding,) = found.report.all_findings()
    assert (finding.reason, finding.severity) == ("MissingSecret", severity)


def test_garbage() -> None:
    found = plan(ingress("a.com"), TlsSecret(namespace="acme-gateway", name="tls", certificate_pem=b"garbage"))
    assert reasons(found) == ["InvalidCertificate"]


def test_the_default_certificate() -> None:
    assert reasons(plan(ingress("a.com", secret=""))) == ["DefaultCertificate"]
    assert reasons(plan(ingress(f"a.acme.{DOMAIN}", secret=""))) == []


def test_no_tls() -> None:
    assert reasons(plan(ingress("a.com", tls=()))) == ["HostWithoutTls"]
    assert reasons(plan(ingress(f"a.acme.{DOMAIN}", tls=()))) == []


def test_the_wildcard_of_the_platform_is_the_platforms() -> None:
    found = plan(ingress(f"acme.{DOMAIN}", tls=(f"*.{DOMAIN}",)), secret(f"*.{DOMAIN}"))
    assert certificates(found) == [("system", "acme-gateway/tls", "system-tls")]
    found = plan(ingress(f"a.acme.{DOMAIN}"), secret(f"*.acme.{DOMAIN}"))
    assert certificates(found) == [("acme", "acme-gateway/tls", "acme-tls")]


def test_names_are_told_apart() -> None:
    found = plan(
        ingress("a.com", namespace="acme", secret="acme-tls"),
        ingress("b.com", namespace="acme-gateway", secret="acme-tls"),
        ingress("c.com", namespace="acme-gateway", name="c", secret="tls"),
    )
    assert {name for _, _, name in certificates(found)} == {
        "acme-tls",
        "acme-acme-gateway-acme-tls",
        "acme-acme-gateway-tls",
    }


def test_a_secret_of_several_tenants_is_copied_for_each() -> None:
    one = ingress(f"a.acme.{DOMAIN}", f"a.globex.{DOMAIN}", namespace="shared")
    found = plan(one, secret(f"a.acme.{DOMAIN}", f"a.globex.{DOMAIN}", namespace="shared"))
    assert [(owner, name) for owner, _, name in certificates(found)] == [("acme", "acme-tls"), ("globex", "globex-tls")]


def test_pairs_are_checked_before_they_are_written() -> None:
    good = secret("a.com", with_key=True)
    assert set(plan(ingress("a.com"), good).pairs) == {"acme-tls"}
    other = secret("a.com", with_key=True)
    mixed = TlsSecret(namespace="acme-gateway", name="tls", certificate_pem=good.certificate_pem, key_pem=other.key_pem)
    found = plan(ingress("a.com"), mixed)
    assert not found.pairs
    assert reasons(found) == ["InvalidCertificate"]
    assert "PRIVATE" not in repr(found)


def test_issuers() -> None:
    assert issuer_of(ingress("a.com")) is None
    assert issuer_of(ingress("a.com", annotations={CLUSTER_ISSUER: "le"})) == Issuer(
        "le", "ClusterIssuer", "cert-manager.io"
    )
    own = {ISSUER: "x", "cert-manager.io/issuer-kind": "Vault", "cert-manager.io/issuer-group": "g"}
    assert issuer_of(ingress("a.com", annotations=own)) == Issuer("x", "Vault", "g")
    assert issuer_of(ingress("a.com", annotations={ISSUER: "x"})) == Issuer("x", "Issuer", "cert-manager.io")


def test_an_issued_certificate_names_all_listed_hosts() -> None:
    one = ingress("a.com", tls=("a.com", "b.com"), annotations={CLUSTER_ISSUER: "le"})
    found = plan(one, secret("a.com", "b.com"))
    ((certificate,),) = [tenant.certificates for tenant in found.report.tenants]
    assert (certificate.how, certificate.hosts) == ("issuer", ("a.com", "b.com"))


def test_names_of() -> None:
    assert names_of(secret("A.com", "*.b.com").certificate_pem) == frozenset(("a.com", "*.b.com"))
    assert names_of(b"") is None
