"""check, explain and tenant … against a real API server, as people with all rights, some and none run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import CommandError
from tests.cluster.operators import DOMAIN, LABEL, Operator, allow, rule
from tests.cluster.operators import certify as certify
from tests.cluster.operators import operator as operator
from tests.e2e.gateways import wait_until


def test_the_life_of_a_tenant(operator: Operator, certify: Callable[..., str]) -> None:
    pair = certify("t1-tls", f"*.t1.{DOMAIN}", f"t1.{DOMAIN}", "app.customer.com")
    assert operator.tenant("add", "t1", "--domain", "app.customer.com", "--certificate", pair) == 0
    assert operator.out == "secret/t1-tls created\nconfigmap/t1 created\n"
    assert "there is no Service t1-gateway/higress-gateway yet" in operator.err
    assert operator.document("t1") == {"domains": ["app.customer.com"]}

    assert operator.tenant("list", "-o", "json") == 0
    (line,) = json.loads(operator.out)["items"]
    assert (line["id"], line["state"], line["errors"], line["warnings"]) == ("t1", "InForce", 0, 0)
    assert [one["source"] for one in line["certificates"]] == [f"{operator.namespace}/t1-tls"]

    assert operator.tenant("show", "t1") == 0
    assert "higress-gateway.t1-gateway.svc:80" in operator.out
    assert operator.run("check") == 0
    assert operator.out.splitlines()[-1].startswith("1 tenant and 1 certificate in force, 0 errors, ")
    assert operator.run("explain", "APP.customer.com:443") == 0
    assert "tenant       t1 (custom host)" in operator.out
    assert operator.run("explain", "other.customer.com", "-o", "json") == 1
    assert json.loads(operator.out)["reason"] == "unknown_name"

    assert operator.tenant("remove", "t1", "--yes") == 0
    assert operator.out == "configmap/t1 deleted\nsecret/t1-tls deleted\n"
    assert (operator.names(), operator.names("secrets")) == (["platform"], [])
    assert operator.tenant("show", "t1") == 1
    assert operator.tenant("remove", "t1", "--yes") == 0
    assert (operator.out, "nothing to remove" in operator.err) == ("", True)


def test_rendered_objects_are_what_add_would_write(operator: Operator, certify: Callable[..., str]) -> None:
    pair = certify("t1-tls", "app.customer.com")
    wanted = ["t1", "--domain", "app.customer.com", "--connections", "5", "--certificate", pair]
    operator.cluster.apply(operator.render(*wanted, "--with-secrets"))
    rendered = operator.data("t1"), operator.data("t1-tls", "secrets")
    operator.tenant("remove", "t1", "--yes")
    assert operator.tenant("add", *wanted) == 0
    assert rendered == (operator.data("t1"), operator.data("t1-tls", "secrets"))


# -- rights


@pytest.mark.parametrize(
    ("rules", "command", "missing"),
    [
        ([], ["tenant", "list"], "list configmaps"),
        ([rule(["configmaps"], "list")], ["check"], "list secrets"),
        ([rule(["configmaps", "secrets"], "list")], ["tenant", "add", "t1"], "get configmaps"),
        ([rule(["configmaps", "secrets"], "get", "list")], ["tenant", "add", "t1"], "patch configmaps"),
        ([rule(["configmaps", "secrets"], "get", "list", "patch")], ["tenant", "add", "t1"], "create configmaps"),
        ([rule(["configmaps", "secrets"], "get", "list")], ["tenant", "remove", "t2", "--yes"], "delete configmaps"),
    ],
)
def test_missing_rights(
    rules: list[dict[str, Any]],
    command: list[str],
    missing: str,
    operator: Operator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operator.declare("t2")
    kubeconfig = allow(operator.cluster, operator.namespace, "somebody", *rules)
    somebody = Operator(operator.cluster, operator.namespace, capsys, kubeconfig)
    assert somebody.run(*command) == 1
    verb, _, resource = missing.partition(" ")
    assert f'It takes a Role in namespace {operator.namespace} with the verb "{verb}" for {resource}' in somebody.err
    assert f"kubectl auth can-i {missing} --namespace {operator.namespace}" in somebody.err
    assert operator.names() == ["platform", "t2"]


def test_rights_in_the_namespace_are_enough(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a right on EndpointSlices of all namespaces, as most operators are."""
    rules = rule(["configmaps", "secrets"], "get", "list", "create", "patch", "delete")
    kubeconfig = allow(operator.cluster, operator.namespace, "keeper", rules)
    keeper = Operator(operator.cluster, operator.namespace, capsys, kubeconfig)
    assert keeper.tenant("add", "t1") == 0
    assert keeper.run("check") == 0
    assert "EndpointSlice" not in keeper.out
    assert keeper.tenant("add", "t1", "--balance", "endpoints") == 0
    assert keeper.run("check") == 0
    assert "warning: EndpointSlices */?: Left out, you may not list" in keeper.out
    assert keeper.tenant("remove", "t1", "--yes") == 0


def test_a_rule_of_the_cluster(operator: Operator) -> None:
    """A policy stands here for webhooks too: both are told apart from missing rights by their words."""
    name = f"no-tenants-{operator.namespace}"
    version = "admissionregistration.k8s.io/v1"
    api = operator.cluster.api
    selector = {"matchLabels": {"kubernetes.io/metadata.name": operator.namespace}}
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    policy = {
        "matchConstraints": {"namespaceSelector": selector, "resourceRules": rules},
        "validations": [{"expression": "false", "message": "no owner", "reason": "Forbidden"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    plurals = {"ValidatingAdmissionPolicy": "policies", "ValidatingAdmissionPolicyBinding": "policybindings"}
    paths = [f"/apis/{version}/validatingadmission{plural}" for plural in plurals.values()]
    for path, kind, spec in zip(paths, plurals, (policy, binding), strict=True):
        api.post(path, {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
    try:
        wait_until(lambda: operator.tenant("add", "t1", "--dry-run") == 1, "the policy is not in force")
        assert operator.tenant("add", "t1") == 1
        assert "denied request: no owner" in operator.err
        assert "The cluster's own rules" in operator.err
        assert "It takes a Role" not in operator.err
    finally:
        for path in paths:
            api.delete(f"{path}/{name}")


# -- judging


def test_findings_of_a_cluster(operator: Operator) -> None:
    operator.declare("t1", {"tenant.yaml": "domain: [x]"})
    assert operator.run("check", "-o", "json") == 1
    answer = json.loads(operator.out)
    assert answer["summary"]["tenants"] == 0
    assert [one["severity"] for one in answer["findings"] if one["object"] == f"ConfigMap {operator.namespace}/t1"] == [
        "error"
    ]
    assert operator.tenant("show", "t1") == 0
    assert "Rejected" in operator.out


def test_endpoints(operator: Operator) -> None:
    gateways = operator.cluster.new_namespace("gateway")
    operator.declare("t1", {"tenant.yaml": f"gateway: {{namespace: {gateways}, balance: endpoints, port: http}}"})
    operator.cluster.api.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "higress-gateway-1",
                "namespace": gateways,
                "labels": {LABEL: "t1", "kubernetes.io/service-name": "higress-gateway"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": ["10.1.2.3"]}],
        }
    )
    assert operator.tenant("show", "t1", "-o", "json") == 0
    gateway = json.loads(operator.out)["gateway"]
    assert (gateway["service"], gateway["endpoints"]) == (f"{gateways}/higress-gateway", ["10.1.2.3:8080"])
    assert operator.tenant("list") == 0
    assert f"{gateways}/higress-gateway (1 endpoint)" in operator.out


def test_an_api_server_that_is_away(operator: Operator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = operator.cluster.admin_kubeconfig.read_text().replace(operator.cluster.url, "https://127.0.0.1:9")
    (tmp_path / "kubeconfig").write_text(text)
    away = Operator(operator.cluster, operator.namespace, capsys, tmp_path / "kubeconfig")
    assert away.run("check") == 1
    assert "Is https://127.0.0.1:9 the right cluster?" in away.err
    assert away.run("check", "--context", "nowhere") == 2
    assert "no way to a cluster" in away.err


def test_kubectl_agrees_on_who_keeps_it(operator: Operator) -> None:
    """What `tenant add` made, kubectl apply takes over only by force."""
    operator.tenant("add", "t1", "--connections", "5")
    rendered = operator.render("t1", "--connections", "6")
    with pytest.raises(CommandError, match='conflict with "entryproxy"'):
        operator.cluster.kubectl("apply", "--server-side", "-f", "-", input=rendered)
