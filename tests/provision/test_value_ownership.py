from __future__ import annotations

from typing import Any

import pytest

from entryproxy.model.release import Isolation, Profile, ReleaseSpec
from entryproxy.provision.value_ownership import ONE_PER_NAMESPACE, RESERVED, check_own_values


def nested(path: str, value: Any) -> dict[str, Any]:
    key, _, below = path.partition(".")
    return {key: nested(below, value) if below else value}


def judged(
    values: dict[str, Any], isolation: Isolation = "namespace", profile: Profile = "prod"
) -> list[tuple[str, str, bool]]:
    problems = check_own_values("acme", ReleaseSpec(values=values, isolation=isolation, profile=profile))
    return [(problem.field.removeprefix("release.values."), problem.message, problem.is_fatal) for problem in problems]


@pytest.mark.parametrize("prefix", ["", "higress-core."])
@pytest.mark.parametrize(("path", "reason"), RESERVED.items())
@pytest.mark.parametrize("value", [None, {}, {"enabled": True}, "x", False])
def test_reserved_whatever_is_written(path: str, reason: str, prefix: str, value: Any) -> None:
    assert judged(nested(prefix + path, value)) == [(prefix + path, reason, True)]


@pytest.mark.parametrize("value", [None, [], "x", 1])
@pytest.mark.parametrize(
    "path", ["global", "meshConfig", "meshConfig.defaultConfig", "gateway", "gateway.serviceAccount", "gateway.service"]
)
@pytest.mark.parametrize("prefix", ["", "higress-core."])
def test_nothing_may_take_the_place_of_what_we_decide(path: str, value: Any, prefix: str) -> None:
    [(field, message, is_fatal)] = judged(nested(prefix + path, value))
    assert (field, is_fatal) == (prefix + path, True)
    assert message.startswith("it has to be a mapping")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "every tenant's Ingresses"),
        ("nginx", "Ingresses without a class"),
        ("higress", 'own, "acme"'),
        ("globex", 'own, "acme"'),
        (None, 'own, "acme"'),
    ],
)
def test_class(value: Any, words: str) -> None:
    [(field, message, is_fatal)] = judged({"global": {"ingressClass": value}})
    assert (field, is_fatal) == ("global.ingressClass", True)
    assert words in message


@pytest.mark.parametrize("name", ["system-node-critical", "system-cluster-critical", " system-node-critical"])
@pytest.mark.parametrize("prefix", ["", "higress-core."])
def test_the_cluster_s_own_priority(name: str, prefix: str) -> None:
    [(field, message, is_fatal)] = judged(nested(f"{prefix}global.priorityClassName", name))
    assert (field, is_fatal) == (f"{prefix}global.priorityClassName", True)
    assert "off their nodes" in message


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"global": {"priorityClassName": "tenants-low"}},
        {"global": {"priorityClassName": None}},
        {"global": {"ingressClass": "acme"}},
        {"global": {"hub": "registry.example.com"}},
        {"gateway": {"serviceAccount": {"annotations": {"a": "b"}}, "labels": {"team": "x"}}},
        {"gateway": {"service": {"type": "ClusterIP", "annotations": {}}}},
        {"meshConfig": {"defaultConfig": {"concurrency": 2}}},
    ],
)
def test_the_rest_is_the_tenant_s(values: dict[str, Any]) -> None:
    assert judged(values) == []


@pytest.mark.parametrize(("isolation", "count"), [("namespace", 1), ("class", 0), ("shared", 1)])
def test_watched_namespace_is_for_isolation_by_class(isolation: Isolation, count: int) -> None:
    assert len(judged({"global": {"watchNamespace": "apps"}}, isolation)) == count


@pytest.mark.parametrize("path", ONE_PER_NAMESPACE)
def test_what_one_namespace_has_room_for_once(path: str) -> None:
    assert judged(nested(path, True)) == []
    assert judged(nested(path, True), "shared") == [(path, ONE_PER_NAMESPACE[path], True)]


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
def test_a_service_that_clients_reach_is_told_of(kind: str) -> None:
    [(field, _, is_fatal)] = judged({"gateway": {"service": {"type": kind}}})
    assert (field, is_fatal) == ("gateway.service.type", False)


@pytest.mark.parametrize(
    ("profile", "autoscaling", "count"),
    [("prod", {}, 1), ("prod", {"enabled": False}, 0), ("dev", {}, 0), ("dev", {"enabled": True}, 1)],
)
def test_replicas_have_no_effect_beside_autoscaling(profile: Profile, autoscaling: dict[str, Any], count: int) -> None:
    problems = judged({"higress-core": {"gateway": {"replicas": 5, "autoscaling": autoscaling}}}, profile=profile)
    assert [field for field, _, _ in problems] == ["higress-core.gateway.replicas"] * count


def test_both_spellings_are_seen() -> None:
    values = {"gateway": {"name": "a"}, "higress-core": {"gateway": {"name": "b"}}}
    assert [field for field, _, _ in judged(values)] == ["gateway.name", "higress-core.gateway.name"]
