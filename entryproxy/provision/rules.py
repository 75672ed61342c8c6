"""RBAC rules of a chart → what its service accounts may do in a namespace, and the few rights beyond it.

Semantics: Kubernetes, pkg/registry/rbac/validation. A request for a Namespace counts as one inside of it, so a Role can
give the right to change its own namespace, Pod Security labels included; such rules don't pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

RBAC_GROUP = "rbac.authorization.k8s.io"
READS = ("get", "list", "watch")
_REGULAR = (*READS, "create", "update", "patch", "delete", "deletecollection")
"""Without `escalate`, `bind` and `impersonate`, which give more than the rule says."""

CLUSTER_RIGHTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "namespaces", READS),
    ("", "nodes", READS),
    ("networking.k8s.io", "ingressclasses", READS),
    ("gateway.networking.k8s.io", "gatewayclasses", READS),
    ("apiextensions.k8s.io", "customresourcedefinitions", READS),
    ("authentication.k8s.io", "tokenreviews", ("create",)),
    ("authorization.k8s.io", "subjectaccessreviews", ("create",)),
)
"""All that a release may have cluster-wide, if its chart asks for it: group, resource, verbs."""

_CLUSTER_SCOPED = {
    "": frozenset({"namespaces", "nodes", "persistentvolumes", "componentstatuses"}),
    "networking.k8s.io": frozenset({"ingressclasses"}),
    "gateway.networking.k8s.io": frozenset({"gatewayclasses"}),
    "authentication.k8s.io": frozenset({"tokenreviews", "selfsubjectreviews"}),
    "authorization.k8s.io": frozenset({"subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}),
    RBAC_GROUP: frozenset({"clusterroles", "clusterrolebindings"}),
}
"""Resources that a Role has no use for."""
CLUSTER_GROUPS = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "node.k8s.io",
        "scheduling.k8s.io",
    }
)
"""Groups that have nothing inside a namespace."""


_FENCES = {
    "": frozenset({"resourcequotas", "limitranges", "endpoints", "services/status"}),
    "discovery.k8s.io": frozenset({"endpointslices"}),
    "networking.k8s.io": frozenset({"networkpolicies"}),
}
"""What bounds a tenant, and says where its traffic comes from and goes: to be read."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A PolicyRule of rbac.authorization.k8s.io/v1."""

    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(name="nonResourceURLs", default=())
    verbs: tuple[str, ...] = ()


def read_rules(rules: Any) -> tuple[Rule, ...]:
    """`rules` of a Role or ClusterRole, None for none. Raises msgspec.ValidationError."""
    return msgspec.convert(rules or (), tuple[Rule, ...])


def write_rules(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    return [{key: list(words) for key, words in msgspec.to_builtins(rule).items()} for rule in rules]


def cluster_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """What of CLUSTER_RIGHTS the rules ask for, one resource a rule."""
    rules = tuple(rules)
    return tuple(one for right in CLUSTER_RIGHTS for one in _covered(rules, *right))


def namespaced_rules(rules: Iterable[Rule], *, is_own: bool) -> tuple[Rule, ...]:
    """What of the rules has a meaning inside a namespace.

    is_own: it is the release's; another one can only be read, since a pod made there could use any of its accounts.
    Rules for every resource of the core group, or for every group, are cut to reads: they would reach the Namespace
    itself."""
    return tuple(one for rule in rules for one in _inside(rule, is_own))


def _covered(rules: Iterable[Rule], group: str, resource: str, allowed: tuple[str, ...]) -> Iterator[Rule]:
    verbs: dict[tuple[str, ...], set[str]] = {}
    for rule in rules:
        if not {group, "*"}.isdisjoint(rule.api_groups) and not {resource, "*"}.isdisjoint(rule.resources):
            verbs.setdefault(rule.resource_names, set()).update(_within(rule.verbs, allowed))
    for names, granted in verbs.items():
        if granted:
            ordered = tuple(verb for verb in allowed if verb in granted)
            yield Rule(api_groups=(group,), resources=(resource,), resource_names=names, verbs=ordered)


def _inside(rule: Rule, is_own: bool) -> Iterator[Rule]:
    """Groups with the same resources and verbs stay in one rule."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for group in rule.api_groups:
        resources: dict[tuple[str, ...], list[str]] = {}
        for resource in rule.resources:
            if verbs := _verbs(group, resource, rule.verbs, is_own):
                resources.setdefault(verbs, []).append(resource)
        for verbs, below in resources.items():
            groups.setdefault((tuple(below), verbs), []).append(group)
    for (inside, verbs), found in groups.items():
        yield Rule(api_groups=tuple(found), resources=inside, resource_names=rule.resource_names, verbs=verbs)


def _verbs(group: str, resource: str, verbs: tuple[str, ...], is_own: bool) -> tuple[str, ...]:
    base = resource.partition("/")[0]
    if group in CLUSTER_GROUPS or base in _CLUSTER_SCOPED.get(group, ()):
        return ()
    fences = _FENCES.get(group, frozenset())
    if not is_own or group == "*" or (fences and base == "*") or not fences.isdisjoint((resource, base)):
        return _within(verbs, READS)
    if group == RBAC_GROUP or (group, base) == ("", "serviceaccounts"):
        return _within(verbs, _REGULAR)
    return verbs


def _within(verbs: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    return allowed if "*" in verbs else tuple(verb for verb in verbs if verb in allowed)
