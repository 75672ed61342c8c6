from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.config.yaml import parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.model.objects import TENANT_LABEL as LABEL
from entryproxy.provision.narrowing import narrow
from entryproxy.provision.rendered import RenderingError
from entryproxy.provision.rules import write_rules
from entryproxy.provision.state import Rendering
from tests.provision.test_rendered import OBJECT
from tests.provision.test_rules import RULES, rule

RBAC = "rbac.authorization.k8s.io"
FILE = {"postrenderer.helm.sh/postrender-filename": "core/templates/rbac.yaml"}


def narrowed(text: str, **rendering: Any) -> str:
    return narrow(text, namespace="own", rendering=Rendering(**rendering), load=parse_yaml, dump=write_yaml)


def role(*rules: Any, kind: str = "ClusterRole", name: str = "r", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": FILE, **metadata},
        "rules": list(rules),
    }


def account(namespace: str | None = "own") -> dict[str, Any]:
    return {"kind": "ServiceAccount", "name": "sa"} | ({} if namespace is None else {"namespace": namespace})


def binding(
    *subjects: Any, kind: str = "ClusterRoleBinding", to: str = "ClusterRole/r", name: str = "b", **metadata: Any
) -> dict[str, Any]:
    role_kind, _, role_name = to.partition("/")
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": FILE, **metadata},
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role_name},
        "subjects": list(subjects or [account()]),
    }


AS_DEFAULT = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}


def plain(api_version: str, kind: str, name: str = "x", **body: Any) -> dict[str, Any]:
    metadata = {"name": name, **body.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def write_documents(documents: Iterable[Any]) -> str:
    return "---\n".join(write_yaml(one) for one in documents)


def objects(*documents: Any, **options: Any) -> list[dict[str, Any]]:
    """What comes out, as objects."""
    return list(yaml.safe_load_all(narrowed(write_documents(documents), **options)))


def places(*documents: Any, **options: Any) -> list[tuple[str, str, str]]:
    found = objects(*documents, **options)
    return [(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in found]


SECRETS = rule("core", "secrets", "get create")
NODES = rule("core", "nodes", "get")


def test_rights_stay_in_the_release_s_namespace() -> None:
    [inside, outside, bound, bound_outside] = objects(role(SECRETS, NODES, labels={"a": "b"}), binding())
    metadata = {"name": "r", "namespace": "own", "labels": {"a": "b"}, "annotations": FILE}
    version = f"{RBAC}/v1"
    assert inside == {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [SECRETS]}
    assert outside == role(NODES, labels={"a": "b"})
    reference = {"apiGroup": RBAC, "kind": "Role", "name": "r"}
    assert bound["metadata"] == {"name": "b", "namespace": "own", "annotations": FILE}
    assert (bound["kind"], bound["roleRef"], bound["subjects"]) == ("RoleBinding", reference, [account()])
    assert bound_outside == binding()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([SECRETS], [("Role", "own", "r"), ("RoleBinding", "own", "b")]),
        ([NODES], [("ClusterRole", "", "r"), ("ClusterRoleBinding", "", "b")]),
        ([], [("ClusterRole", "", "r")]),
        ([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], []),
        ([rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", "update")], []),
    ],
)
def test_what_has_no_rules_is_left_out(rules: list[Any], expected: list[tuple[str, str, str]]) -> None:
    assert places(role(*rules), binding()) == expected


def test_the_watched_namespace_has_a_role_too() -> None:
    found = objects(binding(), role(SECRETS), watched="apps")
    assert [(one["kind"], one["metadata"]["namespace"]) for one in found] == [
        ("RoleBinding", "own"),
        ("RoleBinding", "apps"),
        ("Role", "own"),
        ("Role", "apps"),
    ]
    assert [one["subjects"] for one in found[:2]] == [[account()]] * 2
    assert [one["rules"] for one in found[2:]] == [[SECRETS], [rule("core", "secrets", "get")]]


def test_names_that_the_chart_has_given_already() -> None:
    documents = [
        role(SECRETS),
        binding(),
        role(SECRETS, kind="Role"),
        binding(kind="RoleBinding", to="Role/r"),
    ]
    found = objects(*documents)
    assert places(*documents) == [
        ("Role", "own", "r-cluster"),
        ("RoleBinding", "own", "b-cluster"),
        ("Role", "", "r"),
        ("RoleBinding", "", "b"),
    ]
    assert [found[1]["roleRef"]["name"], found[3]["roleRef"]["name"]] == ["r-cluster", "r"]


def test_a_role_binding_follows_its_cluster_role_inside() -> None:
    [_, bound] = objects(role(SECRETS), binding(account(None), kind="RoleBinding"))
    assert bound["roleRef"] == {"apiGroup": RBAC, "kind": "Role", "name": "r"}
    assert bound["subjects"] == [account(None)]
    assert places(role(NODES), binding(kind="RoleBinding")) == [("ClusterRole", "", "r")]


def test_the_chart_s_own_roles_have_no_way_out_either() -> None:
    [inside] = objects(role(rule("core", "namespaces secrets", "patch"), kind="Role"))
    assert inside["rules"] == [rule("core", "secrets", "patch")]
    assert inside["metadata"]["annotations"] == FILE


def test_words_survive_in_what_is_changed() -> None:
    odd = {"on": "on", "mode": "0644", "float": "1e3", "null": "~", "lines": "a\nb\n", "time": "1:30"}
    for inside in objects(role(SECRETS, NODES, annotations={**FILE, **odd})):
        assert inside["metadata"]["annotations"] == FILE | odd


def test_the_shared_configuration_belongs_to_one_release() -> None:
    documents = [plain("v1", "ConfigMap", "higress-config"), plain("v1", "ConfigMap", "other")]
    assert len(objects(*documents)) == 2
    assert places(*documents, has_config=False) == [("ConfigMap", "", "other")]


def test_the_gateway_s_service_carries_the_tenant_s_label() -> None:
    gateway = plain("v1", "Service", "gateway", metadata={"labels": {"app": "gateway", LABEL: "another"}}, spec={})
    documents = [gateway, plain("v1", "Service", "bare"), plain("v1", "ConfigMap", "gateway")]
    [labelled, *others] = objects(*documents, service="gateway", tenant="acme")
    assert labelled["metadata"] == {"name": "gateway", "labels": {"app": "gateway", LABEL: "acme"}}
    assert labelled["spec"] == {}
    assert others == documents[1:]
    [_, bare, _] = objects(*documents, service="bare", tenant="acme")
    assert bare["metadata"]["labels"] == {LABEL: "acme"}
    once = narrowed(write_documents(documents), service="gateway", tenant="acme")
    assert narrowed(once, service="gateway", tenant="acme") == once


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (plain("v1", "Namespace"), "Namespace x: it is for the whole cluster"),
        (plain("v1", "PersistentVolume"), "whole cluster"),
        (plain("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"), "whole cluster"),
        (plain("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "whole cluster"),
        (plain("v1", "ConfigMap", metadata={"namespace": "other"}), "it goes to the namespace other"),
        (plain("v1", "ConfigMap", metadata={"namespace": "apps"}), "the namespace apps is watched only"),
        (plain("v1", "List", items=[]), "lists of objects"),
        (plain("v1", "Thing", Items=[]), "lists of objects"),
        (plain("v1", "Secret", type="helm.sh/release.v1"), "only Helm itself"),
        (plain("v1", "Secret", metadata={"labels": {"owner": "helm"}}), "only Helm itself"),
        (plain("v1", "Secret", "sh.helm.release.v1.acme.v9"), "only Helm itself"),
        ({**role(), "aggregationRule": {"clusterRoleSelectors": []}}, "ClusterRole r: with an aggregationRule"),
        (role(SECRETS, labels={f"{RBAC}/aggregate-to-view": "true"}), "with this label"),
        (role({"verbs": "get"}), "its rules can't be read"),
        (binding(to="ClusterRole/cluster-admin"), 'ClusterRoleBinding b: it refers to the ClusterRole "cluster-admin"'),
        (binding(kind="RoleBinding", to="ClusterRole/admin"), 'RoleBinding b: it refers to the ClusterRole "admin"'),
        (binding(kind="RoleBinding", to="Role/entryproxy-admin"), 'it refers to the Role "entryproxy-admin"'),
        (binding({"kind": "Group", "name": "system:authenticated"}, to="ClusterRole/mine"), "somebody else"),
        (binding({"kind": "User", "name": "eve"}, kind="RoleBinding", to="ClusterRole/mine"), "somebody else"),
        (binding("eve", to="ClusterRole/mine"), "somebody else"),
        (binding(account("other"), to="ClusterRole/mine"), "accounts of another namespace"),
        (binding(account(None), to="ClusterRole/mine"), "accounts of another namespace"),
        (binding(account(None), kind="RoleBinding", to="ClusterRole/mine", namespace="apps"), "of another namespace"),
        (role(SECRETS, kind="Role", namespace="kube-system"), "it goes to the namespace kube-system"),
        (role(SECRETS, name="mine"), "ClusterRole mine: the chart has two of this name"),
        (role(SECRETS, name="mine", namespace="apps"), "two of this name"),
        (plain("v1", "Service", spec={"externalIPs": ["10.96.0.10"]}), "Service x: with externalIPs"),
        (plain("v1", "Service", spec={"type": "ExternalName", "externalName": "a"}), "with type ExternalName"),
        (plain("networking.k8s.io/v1", "IngressClass", metadata=AS_DEFAULT), "IngressClass x: as the default class"),
    ],
)
def test_refusals(document: Any, words: str) -> None:
    with pytest.raises(RenderingError) as refused:
        objects(role(SECRETS, name="mine"), document, watched="apps")
    assert words in str(refused.value)


KINDS = st.sampled_from(["ClusterRole", "Role"])


@given(st.lists(st.tuples(KINDS, RULES), max_size=3), st.sampled_from(["", "apps"]), st.booleans())
def test_whatever_the_chart_asks_for(asked: list[tuple[str, Any]], watched: str, has_other: bool) -> None:
    documents: list[Any] = []
    for number, (kind, rules) in enumerate(asked):
        name = f"{kind.lower()}{number}"
        documents += [role(*write_rules(rules), kind=kind, name=name)]
        documents += [binding(kind=f"{kind}Binding", to=f"{kind}/{name}", name=name)]
    text = write_documents(documents) + (f"---\n{OBJECT}" if has_other else "")
    made = narrowed(text, watched=watched)

    assert narrowed(made, watched=watched) == made
    assert made.endswith(OBJECT) is has_other
    for one in yaml.safe_load_all(made.removesuffix(OBJECT)):
        if one is not None and one["kind"] == "ClusterRole":
            granted = one["rules"]
            assert all(set(a["verbs"]) <= {"get", "list", "watch"} for a in granted if a["apiGroups"] == [""])
            assert not {"secrets", "configmaps", "*"} & {name for a in granted for name in a["resources"]}
            assert not {"*"} & {word for a in granted for word in (*a["apiGroups"], *a["verbs"])}
        elif one is not None:
            assert one["metadata"].get("namespace", "own") in ("own", watched)
