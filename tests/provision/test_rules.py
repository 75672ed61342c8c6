from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.provision.rules import (
    CLUSTER_RIGHTS,
    READS,
    Rule,
    cluster_rules,
    namespaced_rules,
    read_rules,
    write_rules,
)

GROUPS = ["", "*", "apps", "networking.k8s.io", "rbac.authorization.k8s.io", "certificates.k8s.io"]
RESOURCES = ["*", "*/status", "secrets", "configmaps", "namespaces", "namespaces/status", "nodes", "nodes/proxy"]
RESOURCES += ["roles", "clusterroles", "deployments", "serviceaccounts", "serviceaccounts/token", "ingressclasses"]
VERBS = ["*", "get", "list", "watch", "create", "patch", "escalate", "bind", "impersonate"]


def tuples(words: list[str], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), min_size=least, max_size=4).map(tuple)


RULES = st.lists(
    st.builds(
        Rule,
        api_groups=tuples(GROUPS),
        resources=tuples(RESOURCES),
        verbs=tuples(VERBS),
        resource_names=st.sampled_from([(), ("one",)]),
        non_resource_urls=st.sampled_from([(), ("/metrics",)]),
    ),
    max_size=4,
)


def allows(rules: tuple[Rule, ...], verb: str, group: str, resource: str) -> bool:
    """As the RBAC authorizer asks, for whatever name."""
    return any(
        {verb, "*"} & set(rule.verbs)
        and {group, "*"} & set(rule.api_groups)
        and {resource, "*", "*/" + resource.partition("/")[2]} & set(rule.resources)
        for rule in rules
    )


def rule(groups: str, resources: str, verbs: str, **more: list[str]) -> dict[str, Any]:
    """Words parted by spaces; "core" is the group without a name."""
    return {
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
        **more,
        "verbs": verbs.split(),
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule("core", "namespaces nodes secrets", "get list watch create"), ["namespaces", "nodes"]),
        (rule("core", "*", "*"), ["namespaces", "nodes"]),
        (rule("*", "*", "*"), [resource for _, resource, _ in CLUSTER_RIGHTS]),
        (rule("core", "namespaces/status nodes/proxy", "get"), []),
        (rule("core", "namespaces", "create delete"), []),
        (rule("apps", "namespaces", "get"), []),
        (rule("authentication.k8s.io", "tokenreviews", "create"), ["tokenreviews"]),
        (rule("authentication.k8s.io", "tokenreviews", "get"), []),
        (rule("admissionregistration.k8s.io", "*", "*"), []),
        (rule("certificates.k8s.io", "certificatesigningrequests", "*"), []),
        ({"nonResourceURLs": ["*"], "verbs": ["*"]}, []),
    ],
)
def test_cluster_rules(given: dict[str, Any], expected: list[str]) -> None:
    assert [one.resources for one in cluster_rules(read_rules([given]))] == [(resource,) for resource in expected]


def test_cluster_rules_keep_names_and_gather_verbs() -> None:
    rules = [
        rule("core", "nodes", "watch"),
        rule("core", "nodes", "get delete"),
        rule("core", "nodes", "get", resourceNames=["one"]),
    ]
    assert write_rules(cluster_rules(read_rules(rules))) == [
        rule("core", "nodes", "get watch"),
        rule("core", "nodes", "get", resourceNames=["one"]),
    ]


@pytest.mark.parametrize(
    ("given", "own", "watched"),
    [
        (rule("core", "secrets", "*"), [rule("core", "secrets", "*")], [rule("core", "secrets", "get list watch")]),
        (
            rule("core", "secrets configmaps", "get create"),
            [rule("core", "secrets configmaps", "get create")],
            [rule("core", "secrets configmaps", "get")],
        ),
        (
            rule("core", "namespaces pods nodes", "get"),
            [rule("core", "pods", "get")],
            [rule("core", "pods", "get")],
        ),
        (rule("core", "*", "*"), [rule("core", "*", "get list watch")], [rule("core", "*", "get list watch")]),
        (rule("*", "*", "get create"), [rule("*", "*", "get")], [rule("*", "*", "get")]),
        (rule("example.com", "*", "*"), [rule("example.com", "*", "*")], [rule("example.com", "*", "get list watch")]),
        (
            rule("rbac.authorization.k8s.io", "roles clusterroles", "create escalate get"),
            [rule("rbac.authorization.k8s.io", "roles", "create get")],
            [rule("rbac.authorization.k8s.io", "roles", "get")],
        ),
        (rule("core", "serviceaccounts", "impersonate"), [], []),
        (rule("apiextensions.k8s.io", "customresourcedefinitions", "get"), [], []),
        (
            rule("extensions networking.k8s.io", "ingresses ingressclasses", "get"),
            [rule("extensions", "ingresses ingressclasses", "get"), rule("networking.k8s.io", "ingresses", "get")],
            [rule("extensions", "ingresses ingressclasses", "get"), rule("networking.k8s.io", "ingresses", "get")],
        ),
        (
            rule("networking.k8s.io discovery.k8s.io", "*", "*"),
            [rule("networking.k8s.io discovery.k8s.io", "*", "get list watch")],
            [rule("networking.k8s.io discovery.k8s.io", "*", "get list watch")],
        ),
        (
            rule("networking.k8s.io", "networkpolicies ingresses ingresses/status", "get update"),
            [
                rule("networking.k8s.io", "networkpolicies", "get"),
                rule("networking.k8s.io", "ingresses ingresses/status", "get update"),
            ],
            [rule("networking.k8s.io", "networkpolicies ingresses ingresses/status", "get")],
        ),
        (
            rule("core", "services services/status endpoints resourcequotas/status limitranges", "patch"),
            [rule("core", "services", "patch")],
            [],
        ),
        (rule("discovery.k8s.io", "endpointslices", "create"), [], []),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, [], []),
    ],
)
def test_namespaced_rules(given: dict[str, Any], own: list[Any], watched: list[Any]) -> None:
    rules = read_rules([given])
    assert write_rules(namespaced_rules(rules, is_own=True)) == own
    assert write_rules(namespaced_rules(rules, is_own=False)) == watched


@given(RULES)
def test_cluster_wide_there_is_never_more_than_the_list(rules: list[Rule]) -> None:
    granted = cluster_rules(rules)
    listed = {(group, resource): verbs for group, resource, verbs in CLUSTER_RIGHTS}
    for one in granted:
        [group], [resource] = one.api_groups, one.resources
        assert set(one.verbs) <= set(listed[group, resource])
        assert all(allows(tuple(rules), verb, group, resource) for verb in one.verbs)
    assert not any(allows(granted, verb, "", resource) for verb in VERBS for resource in ("secrets", "configmaps"))
    assert cluster_rules(granted) == granted
    assert namespaced_rules(granted, is_own=True) == ()


@given(RULES, st.booleans())
def test_inside_there_is_never_more_than_asked_for_and_no_way_out(rules: list[Rule], is_own: bool) -> None:
    granted = namespaced_rules(rules, is_own=is_own)
    for group in [*GROUPS[2:], ""]:
        for resource in ("secrets", "namespaces", "namespaces/status", "roles", "deployments", "serviceaccounts"):
            for verb in VERBS[1:]:
                if allows(granted, verb, group, resource):
                    assert allows(tuple(rules), verb, group, resource)
    writes = [verb for verb in VERBS if verb not in READS]
    assert not any(allows(granted, verb, "", one) for verb in writes for one in ("namespaces", "namespaces/status"))
    assert not any(allows(granted, verb, "rbac.authorization.k8s.io", "roles") for verb in ("escalate", "bind"))
    if not is_own:
        assert not any(allows(granted, verb, "", "secrets") for verb in writes)
    assert namespaced_rules(granted, is_own=is_own) == granted


@pytest.mark.parametrize("rules", [[{"verbs": "get"}], [{"verb": ["get"]}], {"verbs": []}, ["get"], "get"])
def test_what_is_no_rule(rules: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_rules(rules)


def test_none() -> None:
    assert read_rules(None) == read_rules([]) == ()
