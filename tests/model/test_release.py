from __future__ import annotations

from typing import Any

import msgspec
import pytest

from entryproxy.model.release import (
    ADMINS_MAX,
    NamespaceSpec,
    QuotaSpec,
    ReleaseSpec,
    Subject,
    check_chart,
    check_version,
    parse_admin,
)
from entryproxy.model.tenant import TenantSpec


def spec(document: dict[str, Any]) -> TenantSpec:
    return msgspec.convert(document, TenantSpec, strict=True)


def test_nobody_is_asked_to_make_a_gateway_by_default() -> None:
    assert (spec({}).release, spec({}).namespace) == (None, NamespaceSpec())
    assert spec({"release": None}).release is None


def test_the_documented_defaults() -> None:
    release = spec({"release": {}}).release
    assert release == ReleaseSpec(
        enabled=True,
        chart="",
        version="",
        profile="prod",
        isolation="namespace",
        values={},
        gateway_api=False,
        istio_api=False,
    )
    assert NamespaceSpec() == NamespaceSpec(
        quota=QuotaSpec(cpu="", memory="", storage=""), admins=(), network_policy=True
    )


def test_names_are_as_in_the_contract() -> None:
    release: dict[str, Any] = {
        "enabled": False,
        "chart": "higress-core",
        "version": "2.2.1",
        "profile": "dev",
        "isolation": "shared",
        "values": {"gateway": {"replicas": 2}},
        "gatewayAPI": True,
        "istioAPI": True,
    }
    namespace: dict[str, Any] = {
        "quota": {"cpu": "10", "memory": "20Gi", "storage": "1Ti"},
        "admins": ["group:a"],
        "networkPolicy": False,
    }
    read = spec({"release": release, "namespace": namespace})
    assert msgspec.to_builtins(read.release) == release
    assert msgspec.to_builtins(read.namespace) == {**namespace, "admins": ("group:a",)}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"release": True}, "$.release"),
        ({"release": {"enabled": "yes"}}, "$.release.enabled"),
        ({"release": {"chart": {}}}, "$.release.chart"),
        ({"release": {"version": 2.2}}, "$.release.version"),
        ({"release": {"profile": "Prod"}}, "$.release.profile"),
        ({"release": {"profile": ""}}, "$.release.profile"),
        ({"release": {"isolation": "full"}}, "$.release.isolation"),
        ({"release": {"values": []}}, "$.release.values"),
        ({"release": {"values": None}}, "$.release.values"),
        ({"release": {"gatewayAPI": 1}}, "$.release.gatewayAPI"),
        ({"release": {"gatewayApi": True}}, "gatewayApi"),
        ({"release": {"istio_api": True}}, "istio_api"),
        ({"namespace": "a"}, "$.namespace"),
        ({"namespace": None}, "$.namespace"),
        ({"namespace": {"quota": "10"}}, "$.namespace.quota"),
        ({"namespace": {"quota": {"cpu": 10}}}, "$.namespace.quota.cpu"),
        ({"namespace": {"quota": {"pods": "10"}}}, "pods"),
        ({"namespace": {"admins": "group:a"}}, "$.namespace.admins"),
        ({"namespace": {"admins": [1]}}, "$.namespace.admins[0]"),
        ({"namespace": {"admins": ["group:a"] * (ADMINS_MAX + 1)}}, "$.namespace.admins"),
        ({"namespace": {"networkPolicy": {}}}, "$.namespace.networkPolicy"),
        ({"namespace": {"name": "a"}}, "name"),
    ],
)
def test_what_is_refused(document: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        spec(document)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("group:tenant1-admins", Subject("Group", "tenant1-admins")),
        ("group:oidc:a b/c@d", Subject("Group", "oidc:a b/c@d")),
        ("user:jane@example.com", Subject("User", "jane@example.com")),
        ("user:system:serviceaccount:a:b", Subject("User", "system:serviceaccount:a:b")),
        ("serviceaccount:ci/deployer", Subject("ServiceAccount", "deployer", "ci")),
        ("serviceaccount:ci/deployer.v2", Subject("ServiceAccount", "deployer.v2", "ci")),
    ],
)
def test_admins(text: str, subject: Subject) -> None:
    assert parse_admin(text) == subject


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jane",
        "group",
        "group:",
        ":a",
        "Group:a",
        "role:a",
        "group: a",
        "group:a ",
        "user:a\nb",
        "user:\u202ea",
        "user:" + "a" * 254,
        "serviceaccount:a",
        "serviceaccount:a/",
        "serviceaccount:/b",
        "serviceaccount:A/b",
        "serviceaccount:a/B",
        "serviceaccount:a/b/c",
        "serviceaccount:a/-b",
        "serviceaccount:a/b.",
        "serviceaccount:a:b",
    ],
)
def test_admins_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r'is not "group:NAME", "user:NAME" or "serviceaccount:NAMESPACE/NAME"'):
        parse_admin(text)


@pytest.mark.parametrize("text", ["higress-core", "oci://registry.example.com/a/higress", "/charts/core", "./core"])
def test_charts(text: str) -> None:
    check_chart(text)


@pytest.mark.parametrize("text", ["-f", "--repo", "a b", "a\tb", "a\n", "https://a/b.tgz", "file:///a", "a" * 501])
def test_charts_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a chart"):
        check_chart(text)


@pytest.mark.parametrize("text", ["2.2.1", "v2.2.1", "0.0.0", "2.2.1-rc.1", "2.2.1+build.5", "2.2.1-a-b+c"])
def test_versions(text: str) -> None:
    check_version(text)


@pytest.mark.parametrize(
    "text",
    ["2", "2.2", "02.2.1", "2.2.x", "^2.2.1", ">=2.2.1", "2.2.1 || 3.0.0", "2.2.1-", "2.2.1\n", "latest", "-1.2.3"],
)
def test_versions_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not one exact version"):
        check_version(text)
