from __future__ import annotations

import json
from typing import Any

import pytest

from entryproxy.model.release import Isolation, NamespaceSpec, QuotaSpec
from entryproxy.provision.access import ADMIN_RULES
from entryproxy.provision.digests import DIGEST_ANNOTATION, manifest_digest
from entryproxy.provision.objects import Surroundings, namespace_objects
from tests.cluster.cluster import Cluster, CommandError

EVERYTHING = NamespaceSpec(quota=QuotaSpec(cpu="20", memory="40Gi", storage="1Ti"), admins=("group:acme-admins",))


def objects(
    spec: NamespaceSpec = EVERYTHING,
    isolation: Isolation = "namespace",
    tenant: str = "acme",
    namespace: str = "acme-gateway",
) -> tuple[dict[str, Any], ...]:
    around = Surroundings(
        tenant=tenant,
        namespace=namespace,
        source="entry/acme",
        entry_namespace="entry",
        isolation=isolation,
        gateway_name="higress-gateway",
        ports=(8080, 8443),
    )
    return namespace_objects(around, spec)


def kinds(spec: NamespaceSpec, isolation: Isolation = "namespace") -> list[str]:
    return [one["kind"] for one in objects(spec, isolation)]


def named(name: str, spec: NamespaceSpec = EVERYTHING) -> dict[str, Any]:
    [found] = [one for one in objects(spec) if one["metadata"]["name"] == name]
    return found


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (NamespaceSpec(network_policy=False), ["Namespace"]),
        (NamespaceSpec(), ["Namespace", "NetworkPolicy", "NetworkPolicy"]),
        (
            NamespaceSpec(quota=QuotaSpec(storage="1Gi"), network_policy=False),
            ["Namespace", "ResourceQuota", "LimitRange"],
        ),
        (NamespaceSpec(admins=("user:eve",), network_policy=False), ["Namespace", "Role", "RoleBinding"]),
        (
            EVERYTHING,
            ["Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "NetworkPolicy", "Role", "RoleBinding"],
        ),
    ],
)
@pytest.mark.parametrize("isolation", ["namespace", "class"])
def test_which_there_are(spec: NamespaceSpec, expected: list[str], isolation: Isolation) -> None:
    assert kinds(spec, isolation) == expected


def test_a_shared_namespace_is_somebody_else_s() -> None:
    assert kinds(EVERYTHING, "shared") == ["NetworkPolicy"]
    assert kinds(NamespaceSpec(network_policy=False), "shared") == []
    names = {objects(EVERYTHING, "shared", tenant)[0]["metadata"]["name"] for tenant in ("a", "b")}
    assert names == {"entryproxy-gateway-a", "entryproxy-gateway-b"}


def test_marks_of_every_object() -> None:
    for one in objects():
        metadata = one["metadata"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "entryproxy"
        assert metadata["labels"]["entryproxy.higress.io/owner"] == "acme"
        assert "entryproxy.higress.io/tenant" not in metadata["labels"]
        assert metadata["annotations"]["entryproxy.higress.io/source"] == "entry/acme"
        assert metadata["annotations"][DIGEST_ANNOTATION] == manifest_digest(one)
        assert metadata.get("namespace") == (None if one["kind"] == "Namespace" else "acme-gateway")


def test_digests_follow_the_content() -> None:
    one, other = (
        [
            each["metadata"]["annotations"][DIGEST_ANNOTATION]
            for each in objects(NamespaceSpec(quota=QuotaSpec(cpu=cpu)))
        ]
        for cpu in ("1", "2")
    )
    assert [before == after for before, after in zip(one, other, strict=True)] == [True, False, True, True, True]


def test_only_the_entry_reaches_the_gateway_s_ports() -> None:
    spec = named("entryproxy-gateway")["spec"]
    assert spec["podSelector"] == {"matchLabels": {"higress": "acme-gateway-higress-gateway"}}
    [rule] = spec["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "entry"}}}]
    assert [port["port"] for port in rule["ports"]] == [8080, 8443, 15020]


def test_everybody_else_is_kept_out_of_the_namespace() -> None:
    spec = named("entryproxy-namespace")["spec"]
    assert spec["podSelector"] == {}
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_quota_counts_requests_only_what_was_given() -> None:
    quota = NamespaceSpec(quota=QuotaSpec(memory="8Gi"), network_policy=False)
    [_, hard, limits] = objects(quota)
    assert hard["spec"] == {"hard": {"requests.memory": "8Gi"}}
    [container] = limits["spec"]["limits"]
    assert set(container) == {"type", "defaultRequest"}  # a default limit could be below what a container requests


def test_subjects() -> None:
    spec = NamespaceSpec(admins=("group:g", "user:u", "serviceaccount:ci/deployer"), network_policy=False)
    binding = objects(spec)[-1]
    group = "rbac.authorization.k8s.io"
    assert binding["subjects"] == [
        {"kind": "Group", "name": "g", "apiGroup": group},
        {"kind": "User", "name": "u", "apiGroup": group},
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"},
    ]
    assert binding["roleRef"] == {"apiGroup": group, "kind": "Role", "name": "entryproxy-admin"}


def test_no_admin_gets_at_secrets_or_other_pods_rights() -> None:
    resources = {resource for rule in ADMIN_RULES for resource in rule["resources"]}
    assert not resources & {
        "secrets",
        "pods/exec",
        "pods/attach",
        "serviceaccounts/token",
        "pods/ephemeralcontainers",
        "*",
    }
    assert not any("*" in words for rule in ADMIN_RULES for words in rule.values())
    writable = {one for rule in ADMIN_RULES if "create" in rule["verbs"] for one in rule["resources"]}
    assert writable == {"configmaps", "services", "ingresses", "wasmplugins", "http2rpcs", "mcpbridges"}


def test_nothing_of_the_whole_cluster_but_the_namespace() -> None:
    assert not [one["kind"] for one in objects() if one["kind"].startswith("Cluster")]
    assert [one["kind"] for one in objects() if "namespace" not in one["metadata"]] == ["Namespace"]


def test_the_api_server_takes_them_and_holds_admins_to_their_namespace(cluster: Cluster) -> None:
    spec = NamespaceSpec(
        quota=QuotaSpec(cpu="20", memory="40Gi", storage="1Ti"),
        admins=("group:g", "user:u", "serviceaccount:ci/deployer"),
    )
    namespace = "admins-gateway"
    for one in objects(spec, namespace=namespace):
        cluster.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", input=json.dumps(one))
    for user in (["--as=u"], ["--as=x", "--as-group=g"], ["--as=system:serviceaccount:ci:deployer"]):
        assert may(cluster, *user, "create", "ingresses", "-n", namespace)
        assert may(cluster, *user, "get", "pods", "--subresource=log", "-n", namespace)
        assert not may(cluster, *user, "create", "pods", "--subresource=exec", "-n", namespace)
        assert not may(cluster, *user, "create", "ingresses", "-n", "default")
        for verb in ("get", "list", "create", "patch", "delete"):
            assert not may(cluster, *user, verb, "secrets", "-n", namespace)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def may(cluster: Cluster, *question: str) -> bool:
    """`kubectl auth can-i` exits with 1 for a no."""
    try:
        return cluster.kubectl("auth", "can-i", *question).strip() == "yes"
    except CommandError as refusal:
        assert str(refusal) == ""
        return False
