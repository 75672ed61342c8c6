from __future__ import annotations

from typing import Any

import pytest
import yaml

from entryproxy.model.release import Isolation, Profile, ReleaseSpec
from entryproxy.provision.values import (
    core_values,
    is_autoscaled,
    listeners,
    release_values,
    shared_gateway_name,
    unprefixed,
    watched_namespace,
)


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("global.ingressClass", "acme"),
        ("global.enableGatewayAPI", False),
        ("global.enableIstioAPI", False),
        ("global.enableStatus", False),
        ("meshConfig.rootNamespace", "acme-gateway"),
        ("meshConfig.defaultConfig.gatewayTopology.numTrustedProxies", 1),
        ("gateway.name", "higress-gateway"),
        ("gateway.service.type", "ClusterIP"),
        ("gateway.rbac.enabled", False),
        ("gateway.unprivilegedPortSupported", True),
        ("controller.automaticHttps.enabled", False),
    ],
)
@pytest.mark.parametrize("umbrella", [False, True])
def test_defaults_that_do_not_collide(path: str, expected: Any, umbrella: bool) -> None:
    values = release_values("acme", ReleaseSpec(), umbrella=umbrella)
    prefix = "higress-core." if umbrella and not path.startswith("global.") else ""
    assert at(values, prefix + path) == expected


def test_the_umbrella_has_nothing_but_globals_beside_core() -> None:
    own = {"higress-console": {"replicaCount": 0}, "higress-core": {"gzip": {"enable": False}}}
    values = release_values("acme", ReleaseSpec(values=own), umbrella=True)
    assert set(values) == {"global", "higress-core", "higress-console"}
    assert at(values, "higress-console.replicaCount") == 0
    assert at(values, "higress-core.gzip.enable") is False
    assert "global" not in values["higress-core"]
    assert "higress-console" not in values["higress-core"]


def test_switches() -> None:
    values = core_values("acme", ReleaseSpec(gateway_api=True, istio_api=True))
    assert values["global"]["enableGatewayAPI"] is values["global"]["enableIstioAPI"] is True


@pytest.mark.parametrize(
    ("profile", "replicas", "cpu", "is_scaled"),
    [("prod", 3, "2000m", True), ("staging", 2, "1000m", False), ("test", 2, "500m", False), ("dev", 1, "200m", False)],
)
def test_profile(profile: Profile, replicas: int, cpu: str, is_scaled: bool) -> None:
    gateway = core_values("acme", ReleaseSpec(profile=profile))["gateway"]
    assert gateway["replicas"] == replicas
    assert gateway["resources"]["requests"]["cpu"] == cpu
    assert gateway["autoscaling"]["enabled"] is is_scaled


def test_own_values_win_and_the_spec_stays() -> None:
    own: dict[str, Any] = {"gateway": {"resources": {"requests": {"cpu": "3"}, "limits": None}}, "tracing": {"a": 1}}
    before = yaml.safe_dump(own)
    values = core_values("acme", ReleaseSpec(values=own))
    assert values["gateway"]["resources"] == {"requests": {"cpu": "3", "memory": "2048Mi"}, "limits": None}
    assert values["tracing"] == {"a": 1}
    assert values["gateway"]["rbac"] == {"enabled": False}
    values["gateway"]["resources"]["requests"]["cpu"] = "changed"
    assert yaml.safe_dump(own) == before


@pytest.mark.parametrize(
    ("profile", "autoscaling", "expected"),
    [
        ("prod", {}, True),
        ("prod", {"enabled": False}, False),
        ("dev", {}, False),
        ("dev", {"enabled": True}, True),
    ],
)
def test_who_decides_how_many_gateways_run(profile: Profile, autoscaling: dict[str, Any], expected: bool) -> None:
    spec = ReleaseSpec(profile=profile, values={"gateway": {"autoscaling": autoscaling}})
    assert is_autoscaled(core_values("acme", spec)) is expected


@pytest.mark.parametrize(
    ("isolation", "own", "watched"),
    [
        ("namespace", {}, "elsewhere"),
        ("class", {}, "elsewhere"),
        ("class", {"global": {"watchNamespace": "apps"}}, "apps"),
        ("shared", {}, "elsewhere"),
    ],
)
def test_watched_namespace(isolation: Isolation, own: dict[str, Any], watched: str) -> None:
    values = core_values("acme", ReleaseSpec(isolation=isolation, values=own), namespace="elsewhere")
    assert values["global"].get("watchNamespace") == watched
    assert watched_namespace(values, "elsewhere") == ("" if watched == "elsewhere" else watched)


def test_two_releases_of_a_shared_namespace_differ_in_all_that_would_collide() -> None:
    one, other = (core_values(tenant, ReleaseSpec(isolation="shared"), namespace="pool") for tenant in ("a", "b"))
    for path in ("global.ingressClass", "gateway.name", "controller.name", "gateway.httpPort", "gateway.httpsPort"):
        assert at(one, path) != at(other, path)
    assert one["meshConfig"] == other["meshConfig"]  # they read one ConfigMap
    assert one["gateway"]["name"] == shared_gateway_name("a")
    assert not set(listeners(one)) & set(listeners(other))


def test_ports_of_a_shared_namespace_are_valid_and_stay() -> None:
    for number in range(200):
        http, https = listeners(core_values(f"t{number}", ReleaseSpec(isolation="shared")))
        assert 20_000 <= http == https - 1 < 30_000
    assert listeners(core_values("acme", ReleaseSpec(isolation="shared"))) == (29_744, 29_745)


def test_the_service_follows_a_listener_that_was_moved() -> None:
    values = core_values("acme", ReleaseSpec(values={"gateway": {"httpPort": 8080}}))
    ports = [(port["port"], port["targetPort"]) for port in values["gateway"]["service"]["ports"]]
    assert ports == [(80, 8080), (443, 443)]
    assert values["gateway"]["service"]["type"] == "ClusterIP"


def test_the_service_s_own_ports_win() -> None:
    ports = [{"name": "http2", "port": 80, "targetPort": 8080}]
    own = {"gateway": {"httpPort": 8080, "service": {"ports": ports}}}
    assert core_values("acme", ReleaseSpec(values=own))["gateway"]["service"]["ports"] == ports
    assert "ports" not in core_values("acme", ReleaseSpec())["gateway"]["service"]


def test_unprefixed() -> None:
    own = {"global": {"a": 1}, "higress-core": {"global": {"a": 2, "b": 3}, "gateway": {"c": 4}}}
    assert unprefixed(own) == {"global": {"a": 1, "b": 3}, "gateway": {"c": 4}}
    assert unprefixed({"gateway": {}, "higress-core": None}) == {"gateway": {}}
