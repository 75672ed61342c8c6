"""Objects that can't be in force as written: reported, the last good version kept, nobody else touched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.certificates import Authority, Pair
from tests.cluster.entry.conftest import add_tenant
from tests.cluster.entry.site import Site
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import SYSTEM_DOMAIN, Entry
from tests.e2e.probes import rejected, serial, status, tenant_of

STEADY_SHOP = "shop.steady.example"

pytestmark = pytest.mark.usefixtures("undisturbed")


def _other_key(authority: Authority, host: str) -> Pair:
    return Pair(authority.issue(host).chain_pem, authority.issue(host).key_pem)


def _no_certificate(authority: Authority, host: str) -> Pair:
    return Pair("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", authority.issue(host).key_pem)


def _torn_key(authority: Authority, host: str) -> Pair:
    pair = authority.issue(host)
    return Pair(pair.chain_pem, pair.key_pem[:100])


def _uncovering(authority: Authority, host: str) -> Pair:
    return authority.issue("somebody.else.example")


def _not_yet_valid(authority: Authority, host: str) -> Pair:
    return authority.issue(host, starts_in_days=30)


class TestCertificates:
    """Of one tenant, whose good one is in force."""

    @pytest.fixture
    def host(self, site: Site, entry: Entry, gateway: Gateway, tenant: str) -> Iterator[str]:
        host = f"{tenant}.customer.example"
        site.tenant(tenant, gateway={"addresses": [gateway.address]}, domains=[host])
        pair = site.authority.issue(host)
        site.certificate(f"{tenant}-custom", tenant, pair)
        wait_until(lambda: serial(entry, host) == pair.serial, "never served")
        yield host
        site.remove("secrets", f"{tenant}-custom")
        wait_until(lambda: rejected(entry, "Secret") == 0, "reported for ever")

    @pytest.mark.parametrize("bad", [_other_key, _no_certificate, _torn_key, _uncovering, _not_yet_valid])
    def test_a_bad_pair_leaves_the_previous_one(
        self,
        site: Site,
        entry: Entry,
        gateway: Gateway,
        tenant: str,
        host: str,
        bad: Callable[[Authority, str], Pair],
    ) -> None:
        before, said = serial(entry, host), len(entry.messages)
        with entry.client(host) as client:
            pair = bad(site.authority, host)
            site.certificate(f"{tenant}-custom", tenant, pair)
            wait_until(lambda: rejected(entry, "Secret") == 1, "not reported")
            assert serial(entry, host) == before
            assert client.get(gateway.path()).status == 200
        reports = [line for line in entry.messages[said:] if f"Secret {site.namespace}/{tenant}-custom" in line]
        assert reports
        assert not any("PRIVATE KEY" in line or pair.key_pem[40:80] in line for line in reports)

        good = site.authority.issue(host)
        site.certificate(f"{tenant}-custom", tenant, good)
        wait_until(lambda: serial(entry, host) == good.serial, "not replaced")

    def test_an_expired_one_is_served_with_a_warning(self, site: Site, entry: Entry, tenant: str, host: str) -> None:
        expired = site.authority.issue(host, days=-1)
        site.certificate(f"{tenant}-custom", tenant, expired)

        wait_until(lambda: serial(entry, host) == expired.serial, "not served")
        wait_until(lambda: _is_said(entry, "level=warning", f"{tenant}-custom", "[CertificateExpired]"), "no warning")
        not_after = entry.metric("entryproxy_certificate_not_after_seconds", tenant=tenant, name=f"{tenant}-custom")
        assert 0 < not_after < time.time()

    def test_one_that_expires_soon_is_told(self, site: Site, entry: Entry, tenant: str, host: str) -> None:
        pair = site.authority.issue(host, days=5)
        site.certificate(f"{tenant}-custom", tenant, pair)

        wait_until(lambda: serial(entry, host) == pair.serial, "not served")
        wait_until(lambda: _is_said(entry, "level=warning", f"{tenant}-custom", "[CertificateExpiring]"), "no warning")


def test_the_older_claim_of_a_host_wins(site: Site, entry: Entry, gateway: Gateway, steady_gateway: Gateway) -> None:
    """The owner's name is the later one in the alphabet; it notices nothing, and its claim outlives the thief's."""
    with entry.client(STEADY_SHOP) as client:
        before = serial(entry, STEADY_SHOP)
        add_tenant(site, "a-thief", gateway, domains=[STEADY_SHOP, "a-thief.example"])
        site.certificate("a-thief-custom", "a-thief", site.authority.issue(STEADY_SHOP, "a-thief.example", days=900))
        wait_until(lambda: tenant_of(entry, "a-thief.example", gateway) == "a-thief", "the rest is not in force")

        wait_until(lambda: rejected(entry, "ConfigMap") == 1, "not reported")
        assert _is_said(entry, "level=error", "ConfigMap", "a-thief", "belongs to tenant steady", "[HostConflict]")
        assert {serial(entry, STEADY_SHOP) for _ in range(6)} == {before}
        assert tenant_of(entry, STEADY_SHOP, steady_gateway) == "steady"
        assert client.get(steady_gateway.path()).received("X-Entry-Tenant") == ["steady"]
    site.remove("configmaps", "a-thief")
    site.remove("secrets", "a-thief-custom", "a-thief-wildcard")
    wait_until(lambda: rejected(entry, "ConfigMap") == 0, "reported for ever")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("limits: {conections: 5}\n", "limits.conections"),
        ("timeouts: {idle: -1}\n", "timeouts.idle"),
        ("domains: [app.customer.com\n", "tenant.yaml"),
        ("gateway: {protocol: h2c}\n", "gateway.protocol"),
        (f"domains: ['app.{SYSTEM_DOMAIN}']\n", "domains"),
    ],
    ids=["unknown field", "out of range", "no YAML", "unsupported", "reserved host"],
)
def test_one_poison_object(site: Site, entry: Entry, gateway: Gateway, tenant: str, document: str, field: str) -> None:
    """It is reported with the field, its last good version stays, everything else proceeds."""
    host = f"app1.{tenant}.{SYSTEM_DOMAIN}"
    gateways = f"gateway: {{addresses: ['{gateway.address}']}}\n" if "gateway" not in document else ""
    site.config_map(tenant, tenant, {"tenant.yaml": gateways + document})
    wait_until(lambda: rejected(entry, "ConfigMap") == 1, "not reported")
    wait_until(lambda: _is_said(entry, "level=error", f"{site.namespace}/{tenant}", field), "the field is not told")

    other = f"{tenant}-other"
    add_tenant(site, other, gateway)
    wait_until(lambda: status(entry, f"app1.{other}.{SYSTEM_DOMAIN}", gateway.path()) == 200, "nothing else proceeds")
    assert status(entry, host, gateway.path()) == 200
    site.remove("configmaps", tenant, other)
    site.remove("secrets", f"{other}-wildcard")
    wait_until(lambda: rejected(entry, "ConfigMap") == 0, "reported for ever")


def test_no_tenant_at_all(site: Site, entry: Entry) -> None:
    """A label that can't be a tenant's id."""
    site.config_map("shouting", "LOUD", {})
    wait_until(lambda: rejected(entry, "ConfigMap") == 1, "not reported")
    assert _is_said(entry, "level=error", f"{site.namespace}/shouting", "metadata.labels")
    site.remove("configmaps", "shouting")
    wait_until(lambda: rejected(entry, "ConfigMap") == 0, "reported for ever")


def _is_said(entry: Entry, *words: str) -> bool:
    return any(all(word in line for word in words) for line in entry.messages)
