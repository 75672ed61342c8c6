"""What the chart renders for the controller: its pods, its rights and whom it talks to."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from entryproxy.cli import _parser
from entryproxy.controller.helm.process import GRACE_SECONDS
from entryproxy.controller.lease import RENEW_SECONDS
from entryproxy.provision.rules import CLUSTER_RIGHTS
from entryproxy.settings import ControllerSettings
from tests.deploy.chart import (
    CHART,
    CONTROLLER,
    CONTROLLER_EVERYTHING,
    EVERYTHING,
    EXAMPLES,
    NAMESPACE,
    helm,
    one,
    render,
)

RBAC = (CHART / "templates/controller-rbac.yaml").read_text()


@pytest.fixture(scope="module")
def objects() -> list[Any]:
    """Of the controller alone, with its defaults."""
    return controller_objects(render(CONTROLLER))


def controller_objects(rendered: list[Any]) -> list[Any]:
    return [item for item in rendered if item["metadata"]["labels"]["app.kubernetes.io/component"] == "controller"]


def pod_spec(objects: list[Any]) -> Any:
    return one(objects, "Deployment")["spec"]["template"]["spec"]


def environment(objects: list[Any]) -> dict[str, str]:
    (container,) = pod_spec(objects)["containers"]
    return {item["name"]: item.get("value") or item["valueFrom"]["fieldRef"]["fieldPath"] for item in container["env"]}


@pytest.mark.parametrize("values", [CONTROLLER, CONTROLLER_EVERYTHING], ids=["defaults", "everything"])
def test_lint(values: dict[str, Any]) -> None:
    helm("lint", "--strict", str(CHART), "--values", "-", values=values)


# -- switches


def test_without_it_there_is_nothing_of_it() -> None:
    assert controller_objects(render(EVERYTHING)) == []


def test_it_changes_nothing_of_the_entry(defaults: list[Any]) -> None:
    rendered = render(CONTROLLER)
    rest = [item for item in rendered if item not in controller_objects(rendered)]
    assert sorted(rest, key=str) == sorted(defaults, key=str)


def test_what_there_is(objects: list[Any]) -> None:
    policies = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert sorted(item["kind"] for item in objects) == sorted(
        [
            *policies * 5,
            "ClusterRole",
            "ClusterRoleBinding",
            "Deployment",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "Role",
            "RoleBinding",
            "Service",
            "ServiceAccount",
        ]
    )


def test_what_switches_add_and_take_away() -> None:
    everything = controller_objects(render(CONTROLLER_EVERYTHING))
    assert {"ServiceMonitor", "PrometheusRule"} <= {item["kind"] for item in everything}
    assert len([item for item in everything if item["kind"] == "ValidatingAdmissionPolicyBinding"]) == 8
    off = {
        "controller": {"enabled": True, "admissionPolicies": {"enabled": False}},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    }
    kinds = {item["kind"] for item in controller_objects(render(off))}
    assert not kinds & {"NetworkPolicy", "PodDisruptionBudget", "ValidatingAdmissionPolicy"}


@pytest.mark.parametrize("name", ["entryproxy", "front", "a" * 53])
def test_selectors_find_its_pods_and_never_the_entry_s(name: str) -> None:
    rendered = render(CONTROLLER_EVERYTHING, name)
    objects = controller_objects(rendered)
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        one(objects, kind)["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")
    ]
    selectors += [
        one(objects, "Service")["spec"]["selector"],
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    selectors += [item["labelSelector"]["matchLabels"] for item in pod_spec(objects)["topologySpreadConstraints"]]
    assert len(selectors) == 6
    assert all(selector.items() <= labels for selector in selectors)
    (entry,) = [item for item in rendered if item["kind"] == "Deployment" and item not in objects]
    assert not entry["spec"]["selector"]["matchLabels"].items() <= labels
    assert not selectors[0].items() <= entry["spec"]["template"]["metadata"]["labels"].items()
    monitor = one(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    assert [
        item for item in rendered if item["kind"] == "Service" and monitor <= item["metadata"]["labels"].items()
    ] == [one(objects, "Service")]
    for item in objects:
        assert len(re.split(r"[:.]", item["metadata"]["name"])[0]) <= 63 + len("-releases-shared")
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


# -- its pods


def test_it_runs_without_privileges_on_a_read_only_root(objects: list[Any]) -> None:
    spec = pod_spec(objects)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (mount,), (volume,) = container["volumeMounts"], spec["volumes"]
    assert mount == {"name": volume["name"], "mountPath": environment(objects)["ENTRYPROXY_WORK_DIR"]}
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "128Mi"}


def test_values_become_options(objects: list[Any]) -> None:
    assert pod_spec(objects)["containers"][0]["args"] == ["controller", "--shared-namespaces="]
    assert environment(objects) == {
        "ENTRYPROXY_NAMESPACE": "metadata.namespace",
        "ENTRYPROXY_IDENTITY": "metadata.name",
        "ENTRYPROXY_ADMIN_BIND": "0.0.0.0",
        "ENTRYPROXY_WORK_DIR": "/var/lib/entryproxy",
        "TMPDIR": "/var/lib/entryproxy",
        "ENTRYPROXY_CHART": "higress-core",
        "ENTRYPROXY_CHART_VERSION": "2.2.1",
        "ENTRYPROXY_PARALLEL": "4",
        "ENTRYPROXY_RESYNC_SECONDS": "60",
        "ENTRYPROXY_WITHDRAW_SECONDS": "15",
        "ENTRYPROXY_OPERATION_SECONDS": "120",
    }
    everything = controller_objects(render(CONTROLLER_EVERYTHING))
    assert pod_spec(everything)["containers"][0]["args"][1:] == ["--shared-namespaces=small,smaller"]
    more = environment(everything)
    assert more["ENTRYPROXY_CHART_REGISTRIES"] == "oci://registry.example.com/charts,oci://mirror.example.com"
    assert more["ENTRYPROXY_CHART_REPOSITORY"] == "https://charts.example.com/higress"
    assert more["ENTRYPROXY_CHART_PLAIN_HTTP"] == "on"
    assert more["ENTRYPROXY_CHARTS_DIR"] == "/var/lib/charts"


def test_a_repository_with_a_password_comes_from_a_secret() -> None:
    chart = {"repository": "https://charts.example.com", "repositorySecret": "charts"}
    spec = pod_spec(controller_objects(render({"controller": {"enabled": True, "chart": chart}})))
    given = [item for item in spec["containers"][0]["env"] if item["name"] == "ENTRYPROXY_CHART_REPOSITORY"]
    reference = {"secretKeyRef": {"name": "charts", "key": "url"}}
    assert given == [{"name": "ENTRYPROXY_CHART_REPOSITORY", "valueFrom": reference}]


@pytest.mark.parametrize("values", [CONTROLLER, CONTROLLER_EVERYTHING], ids=["defaults", "everything"])
def test_the_program_takes_every_option(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(controller_objects(render(values)))
    del given["TMPDIR"]
    for name, value in given.items():
        monkeypatch.setenv(name, "higress-system" if value.startswith("metadata.") else value)
    arguments = vars(_parser().parse_args(pod_spec(controller_objects(render(values)))["containers"][0]["args"]))
    assert arguments["shared_namespaces"] is not None
    assert [name for name in given if name.removeprefix("ENTRYPROXY_").lower() not in arguments] == []
    assert arguments["work_dir"] == given["ENTRYPROXY_WORK_DIR"]


def test_defaults_are_the_program_s(objects: list[Any]) -> None:
    given, defaults = environment(objects), ControllerSettings()
    assert (given["ENTRYPROXY_CHART"], given["ENTRYPROXY_CHART_VERSION"]) == (defaults.chart, defaults.chart_version)
    assert float(given["ENTRYPROXY_PARALLEL"]) == defaults.parallel
    for name in ("resync_seconds", "withdraw_seconds", "operation_seconds"):
        assert float(given[f"ENTRYPROXY_{name.upper()}"]) == getattr(defaults, name)
    assert pod_spec(objects)["containers"][0]["ports"] == [{"name": "admin", "containerPort": defaults.admin_port}]


def test_charts_from_a_volume_or_from_the_image() -> None:
    spec = pod_spec(controller_objects(render(CONTROLLER_EVERYTHING)))
    assert spec["volumes"][1] == {"name": "charts", "configMap": {"name": "charts"}}
    assert spec["containers"][0]["volumeMounts"][1] == {
        "name": "charts",
        "mountPath": "/var/lib/charts",
        "readOnly": True,
    }
    inside = controller_objects(render({"controller": {"enabled": True, "charts": {"directory": "/usr/share/charts"}}}))
    assert environment(inside)["ENTRYPROXY_CHARTS_DIR"] == "/usr/share/charts"
    assert len(pod_spec(inside)["volumes"]) == 1


def test_the_example_takes_its_chart_from_the_config_map_of_its_readme() -> None:
    values = yaml.safe_load((EXAMPLES / "controller-values.yaml").read_text())
    objects = controller_objects(render(values))
    volume = pod_spec(objects)["volumes"][1]["configMap"]["name"]
    chart = values["controller"]["chart"]
    readme = (EXAMPLES / "README.md").read_text()
    assert f"create configmap {volume} --from-file {chart['name']}-{chart['version']}.tgz" in readme
    assert len(one(objects, "NetworkPolicy")["spec"]["egress"]) == 2


def test_the_kubelet_waits_for_helm_to_be_ended_and_for_the_lease_to_be_given_back(objects: list[Any]) -> None:
    assert pod_spec(objects)["terminationGracePeriodSeconds"] > 2 * (GRACE_SECONDS + RENEW_SECONDS)


def test_text_is_never_yaml() -> None:
    text = 'a"\n      hostNetwork: true'
    values = {"enabled": True, "priorityClassName": text, "nodeSelector": {"a": text}}
    spec = pod_spec(controller_objects(render({"controller": values})))
    assert (spec["priorityClassName"], spec["nodeSelector"]) == (text, {"a": text})
    assert "hostNetwork" not in spec


# -- the network


def test_only_monitoring_reaches_it_and_it_reaches_the_api_server_and_repositories(objects: list[Any]) -> None:
    policy = one(objects, "NetworkPolicy")["spec"]
    (admin,) = policy["ingress"]
    assert admin["ports"] == [{"port": "admin"}]
    assert admin["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    dns, api_server, repositories = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert api_server == {"ports": [{"port": 443}, {"port": 6443}]}
    assert repositories["ports"] == [{"port": 443}]


def test_nobody_reaches_it_and_it_fetches_nothing_unless_named() -> None:
    values = {
        "controller": {"enabled": True, "repositories": {"to": []}},
        "networkPolicy": {"adminFrom": [], "egress": {"apiServer": ["192.0.2.1/32"]}},
    }
    policy = one(controller_objects(render(values)), "NetworkPolicy")["spec"]
    assert "ingress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [rule.get("to") for rule in policy["egress"]] == [None, [{"ipBlock": {"cidr": "192.0.2.1/32"}}]]


# -- rights


def test_every_rule_says_who_needs_it() -> None:
    lines = RBAC.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("  - apiGroups:")]
    assert len(rules) == RBAC.count("apiGroups:")
    for number in rules:
        assert re.match(r"  # \S.{15,}", lines[number - 1]), lines[number : number + 3]


def test_no_wildcards_and_nothing_that_runs_code_or_becomes_somebody_else(objects: list[Any]) -> None:
    rules = one(objects, "Role")["rules"] + one(objects, "ClusterRole")["rules"]
    words = {word for rule in rules for words in rule.values() for word in words}
    assert "*" not in words
    assert not words & {"impersonate", "pods", "pods/exec", "serviceaccounts/token", "deletecollection", "approve"}
    assert not any("/" in resource for rule in rules for resource in rule["resources"])
    escalating = [rule for rule in rules if {"escalate", "bind"} & set(rule["verbs"])]
    assert [rule["resources"] for rule in escalating] == [["roles"]]


def test_what_releases_may_have_cluster_wide_is_held(objects: list[Any]) -> None:
    """The API server lets nobody grant what they don't hold."""
    rules = one(objects, "ClusterRole")["rules"]
    for group, resource, verbs in CLUSTER_RIGHTS:
        held = [rule["verbs"] for rule in rules if group in rule["apiGroups"] and resource in rule["resources"]]
        assert set(verbs) <= {verb for some in held for verb in some}, resource


def test_rights_are_bound_to_its_own_account(objects: list[Any]) -> None:
    account = {"kind": "ServiceAccount", "name": "entryproxy-controller", "namespace": NAMESPACE}
    assert one(objects, "ServiceAccount")["metadata"]["name"] == account["name"]
    assert one(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod_spec(objects)["serviceAccountName"] == account["name"]
    assert pod_spec(objects)["automountServiceAccountToken"] is True
    for kind in ("Role", "ClusterRole"):
        binding = one(objects, f"{kind}Binding")
        assert binding["subjects"] == [account]
        assert binding["roleRef"]["name"] == one(objects, kind)["metadata"]["name"]


def test_the_account_s_policy_covers_all_that_it_may_write_in_namespaces(objects: list[Any]) -> None:
    cluster_wide = {"clusterroles", "clusterrolebindings", "ingressclasses", "customresourcedefinitions"}
    cluster_wide |= {"tokenreviews", "subjectaccessreviews", "events"}
    written = {
        (group, resource)
        for rule in one(objects, "ClusterRole")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if {"create", "patch", "update", "delete"} & set(rule["verbs"]) and resource not in cluster_wide
    }
    policy = one(objects, "ValidatingAdmissionPolicy", f"-account.{NAMESPACE}")
    covered = {
        (group, resource)
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert written <= covered


def test_the_rules_are_prometheus_s_own(objects: list[Any]) -> None:
    rule = one(controller_objects(render(CONTROLLER_EVERYTHING)), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((CHART / "rules/controller.yaml").read_text())
