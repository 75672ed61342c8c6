from __future__ import annotations

import pytest

from entryproxy.migrate.inventory import ConfigMap, Ingress, Inventory
from entryproxy.migrate.plan import Plan, Wishes, make_plan
from tests.migrate.builders import DOMAIN, ingress, inventory, plan, reasons


def errors(found: Plan) -> list[str]:
    return sorted(one.reason for one in found.report.all_findings() if one.severity == "error")


def test_rules_without_a_host() -> None:
    found = plan(ingress("", f"a.acme.{DOMAIN}", tls=()))
    assert errors(found) == ["CatchAll"]
    assert [one.host for one in found.report.hosts()] == [f"a.acme.{DOMAIN}"]


def test_default_backends() -> None:
    assert errors(plan(ingress(default_service="x"))) == ["DefaultBackend"]
    found = plan(ingress(f"a.acme.{DOMAIN}", tls=(), default_service="x"))
    assert reasons(found) == ["DefaultBackend"]
    assert found.report.is_clean


def test_proposals_are_said_once_a_namespace() -> None:
    found = plan(ingress("a.com", namespace="shop"), ingress("b.com", namespace="shop", name="b"), ingress(name="c"))
    assert reasons(found).count("TenantProposed") == 1
    assert "TenantProposed" not in reasons(plan(ingress("a.com")))


def with_service(target: str, *others: Ingress) -> Inventory:
    found = inventory(ingress(f"a.acme.{DOMAIN}", tls=(), service="far"), *others)
    found.external_names["acme-gateway", "far"] = target
    return found


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("db.globex-gateway.svc.cluster.local", ["error CrossNamespaceService"]),
        ("db.globex-gateway.svc", ["error CrossNamespaceService"]),
        ("db.acme-apps.svc.cluster.local", ["warning CrossNamespaceService"]),
        ("db.acme-gateway.svc.cluster.local", []),
        ("db.example.com", ["warning ExternalService"]),
        ("localhost", ["warning ExternalService"]),
    ],
)
def test_services_that_stand_for_others(target: str, expected: list[str]) -> None:
    wishes = Wishes(system_domain=DOMAIN, tenant_of={"acme-apps": "acme"})
    found = make_plan(with_service(target), wishes)
    assert [f"{one.severity} {one.reason}" for one in found.report.all_findings()] == expected


def test_a_namespace_whose_label_is_on_its_ingresses() -> None:
    there = ingress("b.com", namespace="apps", labels={"entryproxy.higress.io/tenant": "acme"})
    found = make_plan(with_service("db.apps.svc", there), Wishes(system_domain=DOMAIN))
    assert "CrossNamespaceService" not in errors(found)


def test_external_dns() -> None:
    annotations = {"external-dns.alpha.kubernetes.io/hostname": "a.com"}
    assert "ExternalDns" in reasons(plan(ingress("a.com", annotations=annotations)))


def test_what_else_looks_like_the_controller_s() -> None:
    found = inventory(ingress(f"a.acme.{DOMAIN}", tls=()))
    found.controllers = [
        ConfigMap(namespace=name, name="c", data={}, created=f"2024-01-0{day}T00:00:00Z")
        for name, day in (("b", 2), ("a", 1))
    ]
    (one,) = make_plan(found, Wishes(system_domain=DOMAIN)).report.findings
    assert (one.severity, one.reason, one.object) == ("warning", "OtherController", "ConfigMap b/c")
    assert "ConfigMap a/c" in one.message


def test_streams() -> None:
    found = inventory(ingress(f"a.acme.{DOMAIN}", tls=()))
    found.streams.append(ConfigMap(namespace="n", name="tcp-services", data={"9000": "a/b:9000", "53": "a/dns:53"}))
    made = make_plan(found, Wishes(system_domain=DOMAIN))
    assert [one.field for one in made.report.findings] == ["data.53", "data.9000"]
    assert errors(made) == ["StreamService", "StreamService"]
