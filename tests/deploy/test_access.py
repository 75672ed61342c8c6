"""What the chart lets the entry do, and whom it lets talk to it."""

from __future__ import annotations

from typing import Any

from tests.deploy.chart import NAMESPACE, one, pod_of, render

# -- rights


def test_rights_are_exactly_these(everything: list[Any]) -> None:
    assert one(everything, "Role")["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["list", "watch"]}
    ]
    assert one(everything, "ClusterRole")["rules"] == [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    ]
    account = {"kind": "ServiceAccount", "name": "entryproxy", "namespace": NAMESPACE}
    for kind in ("Role", "ClusterRole"):
        binding = one(everything, f"{kind}Binding")
        assert binding["subjects"] == [account]
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (
            kind,
            one(everything, kind)["metadata"]["name"],
        )


def test_only_the_entry_s_pods_get_the_token(defaults: list[Any]) -> None:
    assert one(defaults, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod_of(defaults)["spec"]["automountServiceAccountToken"] is True
    assert pod_of(defaults)["spec"]["serviceAccountName"] == one(defaults, "ServiceAccount")["metadata"]["name"]


# -- the network


def test_traffic_may_come_from_anywhere_and_the_admin_port_is_for_monitoring(defaults: list[Any]) -> None:
    traffic, admin = one(defaults, "NetworkPolicy")["spec"]["ingress"]
    assert traffic == {"ports": [{"port": "https"}, {"port": "http"}]}
    assert admin["ports"] == [{"port": "admin"}]
    assert admin["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_nobody_reaches_the_admin_port_unless_named() -> None:
    policy = one(render({"networkPolicy": {"adminFrom": []}}), "NetworkPolicy")["spec"]
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "https"}, {"port": "http"}]]


def test_where_the_entry_may_go(everything: list[Any]) -> None:
    dns, api_server, gateways = one(everything, "NetworkPolicy")["spec"]["egress"]
    assert dns == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert api_server == {
        "ports": [{"port": 443}, {"port": 6443}],
        "to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}],
    }
    assert gateways == {"to": [{"namespaceSelector": {}}], "ports": [{"port": 80}, {"port": 8080}]}
