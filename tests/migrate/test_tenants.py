from __future__ import annotations

from collections.abc import Mapping

import pytest

from entryproxy.migrate.tenants import Tenants, system_host
from entryproxy.model.objects import TENANT_LABEL
from tests.migrate.builders import DOMAIN, ingress


def assign(
    *ingresses: object, tenant_of: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None
) -> tuple[str, str]:
    tenants = Tenants(ingresses, tenant_of or {}, labels or {}, DOMAIN)  # type: ignore[arg-type]
    found = tenants.of(ingresses[0])  # type: ignore[arg-type]
    return found.tenant, found.rule


def test_rules_in_their_order() -> None:
    labelled = ingress("a.com", namespace="red-gateway", labels={TENANT_LABEL: "blue"})
    plain = ingress("a.com", namespace="red-gateway")
    assert assign(labelled, tenant_of={"red-gateway": "green"}, labels={"red-gateway": "grey"}) == ("green", "option")
    assert assign(labelled, labels={"red-gateway": "grey"}) == ("blue", "ingressLabel")
    assert assign(plain, labels={"red-gateway": "grey"}) == ("grey", "namespaceLabel")
    assert assign(plain) == ("red", "gatewayNamespace")
    assert assign(ingress("a.com", namespace="shop")) == ("shop", "proposed")


def test_system_hosts_say_whose_a_namespace_is() -> None:
    custom = ingress("a.com", namespace="shop")
    ours = ingress(f"app.acme.{DOMAIN}", f"acme.{DOMAIN}", namespace="shop", name="system")
    theirs = ingress(f"app.globex.{DOMAIN}", namespace="shop", name="other")
    elsewhere = ingress(f"app.globex.{DOMAIN}", namespace="elsewhere")
    assert assign(custom, ours, elsewhere) == ("acme", "systemHosts")
    assert assign(custom, ours, theirs) == ("shop", "proposed")


@pytest.mark.parametrize("namespace", ["system", "a" * 40])
def test_names_that_are_no_tenant_id(namespace: str) -> None:
    assert assign(ingress("a.com", namespace=namespace)) == ("", "proposed")
    assert assign(ingress("a.com"), labels={"acme-gateway": "No Label"}) == ("", "namespaceLabel")


def test_a_gateway_of_nobody() -> None:
    assert assign(ingress("a.com", namespace="system-gateway")) == ("system-gateway", "proposed")


@pytest.mark.parametrize(
    ("host", "tenant", "service"),
    [
        (f"acme.{DOMAIN}", "acme", ""),
        (f"app.acme.{DOMAIN}", "acme", "app"),
        (f"*.acme.{DOMAIN}", "acme", ""),
        (f"system.{DOMAIN}", None, ""),
        (f"*.app.acme.{DOMAIN}", None, ""),
        (f"a.app.acme.{DOMAIN}", None, ""),
        (f"*.{DOMAIN}", None, ""),
        (DOMAIN, None, ""),
        ("app.acme.com", None, ""),
    ],
)
def test_system_hosts(host: str, tenant: str | None, service: str) -> None:
    found = system_host(host, DOMAIN)
    assert (found and found.tenant_id) == tenant
    assert found is None or found.service == service
    assert system_host(host, "") is None
