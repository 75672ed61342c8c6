"""Tenants whose gateway is the controller's to make: before there is one, and when it is to go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entryproxy.model.objects import STATUS_ANNOTATION
from entryproxy.model.status import TenantStatus, encode_status
from tests.cluster.entry.conftest import add_tenant
from tests.cluster.entry.site import Site
from tests.e2e.clients import Response
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import SYSTEM_DOMAIN, Entry
from tests.e2e.probes import serial, status, tenant_of, unverified

pytestmark = pytest.mark.usefixtures("undisturbed")

NOBODY = "127.0.0.1:1"
"""Where no gateway listens."""
CUSTOM = "shop.held.example"


@pytest.fixture
def fresh(site: Site) -> Iterator[str]:
    """A tenant that has just been declared."""
    site.tenant("fresh", release={}, gateway={"addresses": [NOBODY]})
    yield "fresh"
    site.remove("configmaps", "fresh")


@pytest.fixture
def held(site: Site, entry: Entry, gateway: Gateway, tenant: str) -> Iterator[str]:
    """A tenant with a host of its own, whose objects stay when they are deleted."""
    site.tenant(tenant, gateway={"addresses": [gateway.address]}, domains=[CUSTOM])
    site.certificate(f"{tenant}-custom", tenant, site.authority.issue(CUSTOM))
    objects = (("configmaps", tenant), ("secrets", f"{tenant}-wildcard"))
    for plural, name in objects:
        site.cluster.api.patch(site.path(plural, name), {"metadata": {"finalizers": ["example.com/hold"]}})
    wait_until(lambda: tenant_of(entry, CUSTOM, gateway) == tenant, "never served")
    yield tenant
    for plural, name in objects:
        site.cluster.api.patch(site.path(plural, name), {"metadata": {"finalizers": None}})


def say(site: Site, tenant: str, told: TenantStatus) -> None:
    """As the controller does."""
    annotations = {STATUS_ANNOTATION: encode_status(told)}
    site.cluster.api.patch(site.path("configmaps", tenant), {"metadata": {"annotations": annotations}})


def answer(entry: Entry, tenant: str) -> Response:
    with unverified(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}") as client:
        return client.get("/")


def detail(entry: Entry, tenant: str) -> str:
    """Of the problem that answers; "" when another status than 503 does."""
    answered = answer(entry, tenant)
    return str(answered.json()["detail"]) if answered.status == 503 else ""


def test_until_a_gateway_has_served_a_tenant_is_being_provisioned(site: Site, entry: Entry, fresh: str) -> None:
    wait_until(lambda: "is being provisioned" in detail(entry, fresh), "not told")
    assert answer(entry, fresh).get("Retry-After") == "5"
    assert entry.metric("entryproxy_gateway_errors_total", tenant=fresh, reason="provisioning") >= 1

    say(site, fresh, TenantStatus(phase="Failed", message="a Secret's name"))
    wait_until(lambda: "could not be provisioned" in detail(entry, fresh), "not told that it failed")
    assert "a Secret's name" not in detail(entry, fresh)

    say(site, fresh, TenantStatus(phase="Ready", has_served=True))
    wait_until(lambda: "No gateway of this tenant" in detail(entry, fresh), "still provisioning")
    assert answer(entry, fresh).get("Retry-After") == "1"
    assert entry.metric("entryproxy_gateway_errors_total", tenant=fresh, reason="gateway_unreachable") >= 1


def test_no_such_service_is_the_same(site: Site, entry: Entry) -> None:
    """As it is in a cluster before the release is installed: not even the name exists."""
    site.tenant("nameless", release={})
    wait_until(lambda: "is being provisioned" in detail(entry, "nameless"), "not told")
    site.remove("configmaps", "nameless")


def test_what_the_controller_says_is_no_configuration(site: Site, entry: Entry, gateway: Gateway, fresh: str) -> None:
    wait_until(lambda: answer(entry, fresh).status == 503, "never there")
    before = entry.metric("entryproxy_config_generation")
    for revision in range(1, 9):
        say(site, fresh, TenantStatus(phase="Provisioning", message=f"step {revision}", revision=revision))
    site.tenant("later", gateway={"addresses": [gateway.address]})
    wait_until(lambda: status(entry, f"later.{SYSTEM_DOMAIN}", gateway.path()) == 200, "never served")
    assert entry.metric("entryproxy_config_generation") == before + 1
    site.remove("configmaps", "later")


def test_a_tenant_whose_deletion_is_held_back_is_withdrawn_at_once(
    site: Site, entry: Entry, gateway: Gateway, held: str
) -> None:
    host = f"app1.{held}.{SYSTEM_DOMAIN}"
    add_tenant(site, "heir", gateway, domains=[CUSTOM])
    site.certificate("heir-custom", "heir", site.authority.issue(CUSTOM))

    site.cluster.kubectl("delete", "configmap", held, "--namespace", site.namespace, "--wait=false")

    wait_until(lambda: status(entry, host, gateway.path()) == 404, "still served", 1.0)
    wait_until(lambda: tenant_of(entry, CUSTOM, gateway) == "heir", "the host isn't free")
    assert site.cluster.api.get(site.path("configmaps", held))["metadata"]["deletionTimestamp"]
    with site.running("--workers", "1") as another:  # which sees it in its first list
        assert status(another, host, gateway.path()) == 404
        assert tenant_of(another, CUSTOM, gateway) == "heir"
    site.remove("configmaps", "heir")
    site.remove("secrets", "heir-wildcard", "heir-custom")


def test_a_certificate_whose_deletion_is_held_back_is_withdrawn_too(site: Site, entry: Entry, held: str) -> None:
    host = f"app1.{held}.{SYSTEM_DOMAIN}"
    before = serial(entry, host)
    site.cluster.kubectl("delete", "secret", f"{held}-wildcard", "--namespace", site.namespace, "--wait=false")
    wait_until(lambda: serial(entry, host) != before, "still served")
    assert site.cluster.api.get(site.path("secrets", f"{held}-wildcard"))["metadata"]["deletionTimestamp"]
