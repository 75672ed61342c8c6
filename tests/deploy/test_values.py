"""values.schema.json against mistakes, values.yaml, and the fields of settings.yaml."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml

from entryproxy.model.tenant import Limits, PlatformSpec, Timeouts, TlsSpec
from tests.deploy.chart import CHART, HelmError, one, pod_of, render, template

SCHEMA = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"service": {"typ": "NodePort"}}, "at '/service': additional properties 'typ' not allowed"),
        ({"workers": 0}, "at '/workers': minimum: got 0, want 1"),
        ({"workers": None}, "missing property 'workers'"),
        ({"service": {"type": "Public"}}, "at '/service/type': value must be one of 'LoadBalancer'"),
        ({"proxyProtocol": "yes"}, "at '/proxyProtocol': got string, want boolean"),
        ({"drain": {"timeout": 30.5}}, "at '/drain/timeout'"),
        ({"drain": {"preStop": -1}}, "at '/drain/preStop': minimum"),
        ({"image": {"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"),
        ({"podLabels": {"app.kubernetes.io/name": "other"}}, "invalid propertyName 'app.kubernetes.io/name'"),
        ({"networkPolicy": {"adminFrom": [{}]}}, "at '/networkPolicy/adminFrom/0': minProperties"),
        ({"networkPolicy": {"egress": {"apiServer": ["10.0.0.1"]}}}, "at '/networkPolicy/egress/apiServer/0'"),
        ({"stateDirectory": {"sizeLimit": "64 MB"}}, "at '/stateDirectory/sizeLimit'"),
        ({"platform": {"systemDomain": "localhost"}}, "at '/platform/systemDomain'"),
        (
            {"platform": {"tls": {"minVersion": 1.2}}},
            "at '/platform/tls/minVersion': value must be one of '1.2', '1.3'",
        ),
        ({"platform": {"timeouts": {"firstbyte": 1}}}, "additional properties 'firstbyte' not allowed"),
        ({"autoscaling": {"enabled": True, "minReplicas": 11}}, "autoscaling.minReplicas is more than"),
        ({"controller": {"enabled": "yes"}}, "at '/controller/enabled': got string, want boolean"),
        ({"controller": {"parallell": 4}}, "additional properties 'parallell' not allowed"),
        ({"controller": {"parallel": 0}}, "at '/controller/parallel': minimum: got 0, want 1"),
        ({"controller": {"resyncSeconds": 0.5}}, "at '/controller/resyncSeconds'"),
        ({"controller": {"chart": {"version": "^2.2"}}}, "at '/controller/chart/version'"),
        ({"controller": {"chart": {"version": "2.2"}}}, "at '/controller/chart/version'"),
        ({"controller": {"chart": {"name": "https://example.com/a.tgz"}}}, "at '/controller/chart/name'"),
        ({"controller": {"chart": {"name": "--plain-http"}}}, "at '/controller/chart/name'"),
        (
            {"controller": {"chart": {"repository": "https://me:word@example.com"}}},
            "at '/controller/chart/repository'",
        ),
        ({"controller": {"charts": {"directory": "charts"}}}, "at '/controller/charts/directory'"),
        ({"controller": {"charts": {"volume": {"a": {}, "b": {}}}}}, "at '/controller/charts/volume': maxProperties"),
        (
            {"controller": {"admissionPolicies": {"exemptUsers": ['a"']}}},
            "/exemptUsers/0'",
        ),
        ({"controller": {"sharedNamespaces": ["A"]}}, "/sharedNamespaces/0'"),
        (
            {"autoscaling": {"enabled": True}, "resources": {"requests": None}},
            "autoscaling needs resources.requests.cpu",
        ),
    ],
    ids=lambda one: json.dumps(one) if isinstance(one, dict) else "",
)
def test_mistakes_are_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(HelmError) as error:
        template(values)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    "text", ["a\n      hostNetwork: true", 'a"\n  b: c', "true", "12", "a: b", "a # b", "*a", "{}"]
)
def test_text_is_never_yaml(text: str) -> None:
    """Some values come from elsewhere: a pipeline's inputs, a customer's form."""
    values = {
        "imagePullSecrets": [text],
        "priorityClassName": text,
        "nodeSelector": {"a": text},
        "podAnnotations": {"a": text},
        "podLabels": {"a": text},
        "serviceAccount": {"annotations": {"a": text}},
        "service": {"loadBalancerClass": text, "annotations": {"a": text}},
        "metrics": {
            "serviceMonitor": {"enabled": True, "labels": {"a": text}},
            "prometheusRule": {"enabled": True, "labels": {"a": text}},
            "dashboards": {"enabled": True, "labels": {"a": text}, "annotations": {"a": text}},
        },
    }
    objects = render(values)
    pod = pod_of(objects)
    assert (pod["spec"]["imagePullSecrets"], pod["spec"]["priorityClassName"]) == ([{"name": text}], text)
    assert pod["spec"].keys() - pod_of(render())["spec"].keys() == {
        "imagePullSecrets",
        "nodeSelector",
        "priorityClassName",
    }
    assert (pod["metadata"]["annotations"], pod["spec"]["nodeSelector"]) == ({"a": text}, {"a": text})
    assert one(objects, "Service", "entryproxy")["spec"]["loadBalancerClass"] == text
    labelled = [item for item in objects if item["metadata"]["labels"].get("a") == text]
    assert sorted(item["kind"] for item in labelled) == ["ConfigMap", "PrometheusRule", "ServiceMonitor"]


def test_a_parent_chart_may_pass_its_globals() -> None:
    template({"global": {"anything": 1}})


def test_every_value_is_listed_with_its_default() -> None:
    def undocumented(schema: dict[str, Any], values: Any, path: str) -> list[str]:
        missing = []
        for name, below in schema.get("properties", {}).items():
            if name not in values:
                missing.append(f"{path}{name}")
            elif isinstance(values[name], dict):
                missing += undocumented(below, values[name], f"{path}{name}.")
        return missing

    text = (CHART / "values.yaml").read_text()
    absent = undocumented(SCHEMA, yaml.safe_load(text), "")
    # Optional fields of settings.yaml are listed as comments: given ones would win over the program's defaults.
    optional = [one for one in absent if one.startswith("platform.") and f"# {one.split('.')[1]}:" in text]
    assert [one for one in absent if one not in optional] == ["global"]


@pytest.mark.parametrize(
    ("path", "document"),
    [((), PlatformSpec), (("tls",), TlsSpec), (("limits",), Limits), (("timeouts",), Timeouts)],
)
def test_platform_has_the_fields_of_settings_yaml(path: tuple[str, ...], document: type[msgspec.Struct]) -> None:
    schema = SCHEMA["properties"]["platform"]
    for name in path:
        schema = schema["properties"][name]
    assert set(schema["properties"]) == {field.encode_name for field in msgspec.structs.fields(document)}
