"""What the chart renders: that its parts fit together, and fit the program."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
import yaml

from entryproxy import __version__
from entryproxy.cli import _parser
from entryproxy.cli.serve import settings_from
from entryproxy.model.objects import TENANT_LABEL
from entryproxy.settings import ServeSettings
from tests.deploy.chart import CHART, EVERYTHING, NAMESPACE, container_of, helm, one, pod_of, render

KILL_SECONDS = 5  # docs/operations.md: a process that is still there 5 s after --drain-timeout is killed


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_lint(values: dict[str, Any]) -> None:
    helm("lint", "--strict", str(CHART), "--values", "-", values=values)


def test_the_chart_is_of_the_program_s_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


# -- switches


def test_what_there_is_by_default(defaults: list[Any]) -> None:
    assert sorted(item["kind"] for item in defaults) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Service",
        "Service",
        "ServiceAccount",
    ]


def test_what_switches_add(defaults: list[Any], everything: list[Any]) -> None:
    added = {(item["kind"], item["metadata"]["name"]) for item in everything}
    assert added - {(item["kind"], item["metadata"]["name"]) for item in defaults} == {
        ("ConfigMap", "entryproxy-platform"),
        ("ConfigMap", "entryproxy-dashboards"),
        ("HorizontalPodAutoscaler", "entryproxy"),
        ("PrometheusRule", "entryproxy"),
        ("ServiceMonitor", "entryproxy"),
    }


def test_what_switches_take_away() -> None:
    objects = render({"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}})
    assert not {"NetworkPolicy", "PodDisruptionBudget"} & {item["kind"] for item in objects}


# -- labels


@pytest.mark.parametrize("name", ["entryproxy", "front", "a" * 53])
def test_selectors_find_the_pods_and_names_are_labels(name: str) -> None:
    objects = render(EVERYTHING, name)
    labels = pod_of(objects)["metadata"]["labels"].items()
    selectors = [one(objects, "Deployment")["spec"]["selector"]["matchLabels"]]
    selectors += [one(objects, kind)["spec"]["selector"]["matchLabels"] for kind in ("PodDisruptionBudget",)]
    selectors += [item["spec"]["selector"] for item in objects if item["kind"] == "Service"]
    selectors += [one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    selectors += [
        constraint["labelSelector"]["matchLabels"]
        for constraint in pod_of(objects)["spec"]["topologySpreadConstraints"]
    ]
    assert len(selectors) == 7
    assert all(selector.items() <= labels for selector in selectors)
    for item in objects:
        assert len(item["metadata"]["name"].partition(":")[0]) <= 63


def test_the_service_monitor_finds_the_metrics_service_alone(everything: list[Any]) -> None:
    selector = one(everything, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    found = [
        item["metadata"]["name"]
        for item in everything
        if item["kind"] == "Service" and selector <= item["metadata"]["labels"].items()
    ]
    assert found == ["entryproxy-metrics"]


def test_labels_of_every_object(everything: list[Any]) -> None:
    for item in everything:
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("entryproxy-")
        assert item["metadata"].get("namespace", "") == ("" if item["kind"].startswith("Cluster") else NAMESPACE)


def test_another_version_of_the_chart_alone_restarts_nothing(defaults: list[Any]) -> None:
    assert "helm.sh/chart" not in pod_of(defaults)["metadata"]["labels"]
    assert "annotations" not in pod_of(defaults)["metadata"]


# -- the program's options


def parsed(objects: list[Any], monkeypatch: pytest.MonkeyPatch) -> tuple[argparse.Namespace, ServeSettings]:
    """What the program understands of the container's arguments and environment."""
    container = container_of(objects)
    references = {"metadata.namespace": NAMESPACE, "metadata.labels['topology.kubernetes.io/zone']": "zone-a"}
    for variable in container["env"]:
        value = variable.get("value")
        if value is None:
            value = references[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        monkeypatch.setenv(variable["name"], value)
    arguments = _parser().parse_args(container["args"])
    return arguments, settings_from(arguments)


def test_the_program_takes_every_option(defaults: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, settings = parsed(defaults, monkeypatch)

    known = {"ENTRYPROXY_" + name.upper() for name in vars(arguments)}
    assert [one["name"] for one in container_of(defaults)["env"] if one["name"] not in known] == []
    assert (settings.source, settings.namespace, settings.zone) == ("kubernetes", NAMESPACE, "zone-a")
    assert settings.workers == 2
    assert not settings.proxy_protocol


def test_values_become_options(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"workers": 7, "proxyProtocol": True, "bindAddress": "::", "drain": {"delay": 1, "timeout": 2}}
    _, settings = parsed(render(values), monkeypatch)

    assert (settings.bind, settings.admin_bind) == ("::", "::")
    assert (settings.workers, settings.proxy_protocol) == (7, True)
    assert (settings.drain_delay_seconds, settings.drain_timeout_seconds) == (1, 2)


def test_variables_of_services_are_not_taken_for_options(defaults: list[Any]) -> None:
    assert pod_of(defaults)["spec"]["enableServiceLinks"] is False


def test_the_state_directory_is_a_volume_in_memory(defaults: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings = parsed(defaults, monkeypatch)

    (mount,) = container_of(defaults)["volumeMounts"]
    (volume,) = pod_of(defaults)["spec"]["volumes"]
    assert mount == {"name": volume["name"], "mountPath": settings.state_dir}
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "128Mi"}


def test_ports(defaults: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings = parsed(defaults, monkeypatch)
    ports = {port["name"]: port["containerPort"] for port in container_of(defaults)["ports"]}
    assert ports == {"https": settings.https_port, "http": settings.http_port, "admin": settings.admin_port}

    front = one(defaults, "Service", "entryproxy")["spec"]
    assert [(port["port"], port["targetPort"]) for port in front["ports"]] == [(443, "https"), (80, "http")]
    assert (front["type"], front["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    behind = one(defaults, "Service", "-metrics")["spec"]
    assert [(port["port"], port["targetPort"]) for port in behind["ports"]] == [(9090, "admin")]
    assert behind["clusterIP"] == "None"


# -- life and death


@pytest.mark.parametrize(("pre_stop", "delay", "timeout"), [(15, 5, 30), (0, 0, 0), (60, 20, 3600)])
def test_the_kubelet_waits_for_the_drain(pre_stop: int, delay: int, timeout: int) -> None:
    objects = render({"drain": {"preStop": pre_stop, "delay": delay, "timeout": timeout}})

    grace = pod_of(objects)["spec"]["terminationGracePeriodSeconds"]
    assert grace > pre_stop + delay + timeout + KILL_SECONDS
    lifecycle = container_of(objects).get("lifecycle")
    assert lifecycle == ({"preStop": {"sleep": {"seconds": pre_stop}}} if pre_stop else None)


def test_probes(defaults: list[Any]) -> None:
    container = container_of(defaults)
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/healthz", "port": "admin"},  # not /readyz: no crash loop while the API server is away
        "liveness": {"path": "/healthz", "port": "admin"},
        "readiness": {"path": "/readyz", "port": "admin"},
    }


def test_replicas_belong_to_the_autoscaler(everything: list[Any], defaults: list[Any]) -> None:
    assert one(defaults, "Deployment")["spec"]["replicas"] == 2
    assert "replicas" not in one(everything, "Deployment")["spec"]
    spec = one(everything, "HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "entryproxy"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)


def test_a_service_inside_the_cluster_has_no_external_policy() -> None:
    spec = one(render({"service": {"type": "ClusterIP"}}), "Service", "entryproxy")["spec"]
    assert not {"externalTrafficPolicy", "loadBalancerClass", "loadBalancerSourceRanges"} & set(spec)


# -- the platform's settings


def test_platform_settings_are_what_was_given(everything: list[Any]) -> None:
    config_map = one(everything, "ConfigMap", "-platform")
    assert config_map["metadata"]["labels"][TENANT_LABEL] == "system"
    assert yaml.safe_load(config_map["data"]["settings.yaml"]) == EVERYTHING["platform"]


def test_notes_say_what_to_do_next() -> None:
    def notes(values: dict[str, Any]) -> str:
        command = ("install", "entryproxy", str(CHART), "--dry-run=client", "--namespace", NAMESPACE, "--values", "-")
        return helm(*command, values=values).partition("NOTES:")[2]

    assert "There is no system domain yet" in notes({})
    assert "System domain: aigw.example.com" in notes({"platform": {"systemDomain": "aigw.example.com"}})
    assert "nobody is expected to send a PROXY header" in notes(
        {"platform": {"systemDomain": "aigw.example.com"}, "proxyProtocol": True}
    )
