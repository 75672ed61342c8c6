from __future__ import annotations

import pytest

from tests.migrate.builders import DOMAIN, document, ingress, plan, reasons


def test_the_oldest_ingress_keeps_the_host() -> None:
    older = ingress("a.com", namespace="b-gateway", created="2020-01-01T00:00:00Z")
    later = ingress("a.com", namespace="a-gateway", created="2021-01-01T00:00:00Z")
    found = plan(later, older)
    assert document("b", found)["domains"] == ["a.com"]
    (conflict,) = (one for one in found.report.all_findings() if one.reason == "HostConflict")
    assert conflict.object == "Ingress a-gateway/web"
    assert "by the older Ingress b-gateway/web" in conflict.message
    assert not found.report.is_clean


def test_without_times_the_name_decides_and_a_time_is_older_than_none() -> None:
    first = ingress("a.com", namespace="a-gateway")
    second = ingress("a.com", namespace="b-gateway")
    assert document("a", plan(second, first))["domains"] == ["a.com"]
    dated = ingress("a.com", namespace="c-gateway", created="2030-01-01T00:00:00Z")
    assert document("c", plan(first, dated))["domains"] == ["a.com"]


def test_a_host_shared_by_paths() -> None:
    main = ingress("a.com", namespace="a-gateway")
    part = ingress("a.com", namespace="b-gateway", paths=("/docs",), service="docs")
    (conflict,) = (one for one in plan(main, part).report.all_findings() if one.severity == "error")
    assert conflict.reason == "PathSplit"
    assert "/docs → docs:80 has to move there" in conflict.message


def test_several_namespaces_of_one_tenant_share_as_they_like() -> None:
    main = ingress("a.com", namespace="a-gateway")
    part = ingress("a.com", namespace="b", paths=("/docs",))
    found = plan(main, part, tenant_of={"b": "a"})
    assert reasons(found) == ["MissingSecret"]
    (host,) = found.report.hosts()
    assert host.sources == ("Ingress a-gateway/web: / → web:80", "Ingress b/web: /docs → web:80")


def test_aliases_are_claims() -> None:
    main = ingress("a.com", settings={"server-alias": "b.com, *.c.com"}, tls=("a.com", "b.com", "*.c.com"))
    assert document("acme", plan(main))["domains"] == ["a.com", "b.com", "*.c.com"]
    other = ingress("b.com", namespace="z-gateway", created="2020-01-01T00:00:00Z")
    found = plan(main, other)
    assert document("z", found)["domains"] == ["b.com"]
    assert "HostConflict" in reasons(found), "an alias has all of its Ingress's paths"


@pytest.mark.parametrize("host", ["*.*.a.com", "a.*.com", "*", "localhost", "a..com", "10.0.0.1", "a_$.com"])
def test_names_that_are_no_host(host: str) -> None:
    found = plan(ingress(host))
    assert reasons(found) == ["InvalidHost"]
    assert not found.report.tenants
    assert [one.host for one in found.report.homeless] == [host]


@pytest.mark.parametrize("host", [DOMAIN, f"*.{DOMAIN}", f"a.b.acme.{DOMAIN}", f"system.{DOMAIN}"])
def test_hosts_that_do_not_fit_the_grammar(host: str) -> None:
    found = plan(ingress(host))
    assert reasons(found) == ["SystemHost"]
    assert not found.report.tenants


def test_system_hosts_need_no_domain() -> None:
    found = plan(ingress(f"app.acme.{DOMAIN}"))
    assert "domains" not in document("acme", found)
    (host,) = found.report.hosts()
    assert (host.kind, host.because) == ("system", "the host says it")


def test_a_system_host_of_somebody_else() -> None:
    found = plan(ingress(f"app.globex.{DOMAIN}"))
    assert "SystemHostMismatch" in reasons(found)
    assert [one.id for one in found.report.tenants] == ["globex"], "the name decides all the same"
    assert "SystemHostMismatch" not in reasons(plan(ingress(f"app.globex.{DOMAIN}", namespace="anything")))


def test_without_a_system_domain_every_host_is_custom() -> None:
    found = plan(ingress(f"app.acme.{DOMAIN}"), system_domain="")
    assert document("acme", found)["domains"] == [f"app.acme.{DOMAIN}"]
    assert not found.report.settings.is_written


def test_passthrough_leaves_the_host_out() -> None:
    found = plan(ingress("a.com", settings={"ssl-passthrough": "true"}), ingress("b.com", name="other"))
    assert document("acme", found)["domains"] == ["b.com"]
    assert "Passthrough" in reasons(found)
    assert not plan(ingress("a.com", settings={"ssl-passthrough": "true"})).report.tenants


def test_a_namespace_that_is_no_tenant_id() -> None:
    found = plan(ingress("a.com", namespace="x" * 50))
    assert reasons(found) == ["TenantUnknown"]
    assert document("acme", plan(ingress("a.com", namespace="x" * 50), tenant_of={"x" * 50: "acme"}))
    older = ingress("a.com", namespace="x" * 50, created="2020-01-01T00:00:00Z")
    found = plan(older, ingress("a.com"))
    assert reasons(found) == ["TenantUnknown"], "whose it is has to be said before anybody else gets it"
    assert not found.report.tenants


def test_hosts_of_a_domain_are_together() -> None:
    found = plan(ingress("b.com", "*.b.com", "a.b.com", "*.a.com"))
    assert document("acme", found)["domains"] == ["*.a.com", "*.b.com", "b.com", "a.b.com"]
