from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from entryproxy.config.yaml import parse_yaml
from entryproxy.controller.helm.chart import ChartError
from entryproxy.controller.helm.chart_contents import Contents, read_contents
from tests.controller.helm.chart_sources import METADATA, READER, definition


def read(files: Mapping[str, str]) -> Contents:
    return read_contents({name: text.encode() for name, text in files.items()}, READER)


def refused(files: Mapping[str, str]) -> str:
    with pytest.raises(ChartError) as raised:
        read(files)
    assert not raised.value.is_transient
    return raised.value.message


def metadata(name: str, *dependencies: str) -> str:
    return f"{{apiVersion: v2, name: {name}, version: 1.0.0, dependencies: [{', '.join(dependencies)}]}}"


def names(contents: Contents) -> list[str]:
    return [one["metadata"]["name"] for one in contents.definitions]


def test_the_least_that_a_chart_has() -> None:
    contents = read({"Chart.yaml": METADATA})
    assert contents == Contents(name="tiny", version="1.0.0", is_umbrella=False, values={}, definitions=())


def test_values_are_strict_yaml() -> None:
    assert read({"Chart.yaml": METADATA, "values.yaml": "a: {b: on}"}).values == {"a": {"b": "on"}}
    message = refused({"Chart.yaml": METADATA, "values.yaml": "a: &x 1\nb: *x"})
    assert message == "values.yaml: line 1: anchors are not allowed"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "it is not a chart: there is no Chart.yaml"),
        ({"Chart.yaml": "name: tiny"}, "Chart.yaml: Object missing required field `version`"),
        ({"Chart.yaml": "{name: tiny, version: 1.0}"}, "Chart.yaml: Expected `str`, got `float` - at `$.version`"),
        ({"Chart.yaml": "{name: ../a, version: 1.0.0}"}, "Chart.yaml: '../a' is not a chart's name"),
        ({"Chart.yaml": "- a"}, "Chart.yaml is not a mapping"),
        ({"Chart.yaml": "{"}, "Chart.yaml: line 2: "),
        ({"Chart.yaml": METADATA, "values.yaml": "[1]"}, "values.yaml is not a mapping"),
        (
            {"Chart.yaml": METADATA, "charts/sub/values.yaml": ""},
            "it is not a chart: there is no charts/sub/Chart.yaml",
        ),
        ({"Chart.yaml": METADATA, "charts/sub-1.0.0.tgz": ""}, "charts/sub-1.0.0.tgz is packed inside the chart"),
        (
            {"Chart.yaml": METADATA, "crds/a.yaml": "a: 1\n---\napiVersion: apiextensions.k8s.io/v1\nb: {"},
            "crds/a.yaml (the document after line 1): line ",
        ),
        (
            {
                "Chart.yaml": METADATA,
                "crds/a.yaml": "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition}",
            },
            "crds/a.yaml has a CustomResourceDefinition without a name",
        ),
    ],
)
def test_what_is_no_chart(files: dict[str, str], message: str) -> None:
    assert refused(files).startswith(message)


def test_what_is_not_text() -> None:
    with pytest.raises(ChartError, match=r"values\.yaml is not UTF-8"):
        read_contents({"Chart.yaml": METADATA.encode(), "values.yaml": b"\xff"}, READER)


def test_definitions_and_nothing_else() -> None:
    old = definition("old").replace("/v1", "/v1beta1") + "type: a\ntype: b\n"
    config = "apiVersion: v1\nkind: ConfigMap\n# apiextensions.k8s.io/v1\n"
    contents = read(
        {
            "Chart.yaml": METADATA,
            "crds/b.yaml": f"{definition('b')}---{definition('c')}---\n",
            "crds/more/a.YML": definition("a"),
            "crds/d.json": json.dumps(parse_yaml(definition("d"))),
            "crds/old.yaml": old,
            "crds/config.yaml": config,
            "crds/README.md": definition("readme"),
            "templates/crd.yaml": definition("template"),
            "other/crds/x.yaml": definition("other"),
        }
    )
    assert names(contents) == ["b.example.com", "c.example.com", "d.example.com", "a.example.com"]
    assert contents.definitions[0]["apiVersion"] == "apiextensions.k8s.io/v1"


def test_definitions_of_subcharts() -> None:
    files = {
        "Chart.yaml": METADATA,
        "crds/a.yaml": definition("a") + "from: chart\n",
        "charts/sub/Chart.yaml": metadata("sub"),
        "charts/sub/crds/a.yaml": definition("a") + "from: subchart\n",
        "charts/sub/crds/b.yaml": definition("b"),
        "charts/sub/charts/deep/Chart.yaml": metadata("deep"),
        "charts/sub/charts/deep/crds/c.yaml": definition("c"),
        "charts/_hidden/crds/x.yaml": definition("x"),
        "charts/.hidden/crds/x.yaml": definition("x"),
        "charts/README.md": "",
    }
    contents = read(files)
    assert sorted(names(contents)) == ["a.example.com", "b.example.com", "c.example.com"]
    assert next(one["from"] for one in contents.definitions if "from" in one) == "chart"


def umbrella(**more: str) -> dict[str, str]:
    return {
        "Chart.yaml": metadata("higress", "{name: higress-core}", "{name: higress-console}", "{name: redis, alias: r}"),
        "values.yaml": "{higress-core: {gateway: {replicas: 3}}, global: {a: 1}}",
        "charts/higress-core/Chart.yaml": metadata("higress-core"),
        "charts/higress-core/values.yaml": "{gateway: {replicas: 2, image: x}, hub: y}",
        "charts/redis/Chart.yaml": metadata("redis"),
        "charts/redis/values.yaml": "{port: 1}",
        **more,
    }


def test_the_umbrella_has_its_subcharts_values_below_their_names() -> None:
    contents = read(umbrella())
    expected: dict[str, Any] = {
        "higress-core": {"gateway": {"replicas": 3, "image": "x"}, "hub": "y"},
        "higress-console": {},  # which isn't here
        "r": {"port": 1},
        "global": {"a": 1},
    }
    assert contents.values == expected
    assert contents.is_umbrella


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Chart.yaml": metadata("a", "{name: higress-core}")}, True),
        ({"Chart.yaml": metadata("a"), "charts/x/Chart.yaml": metadata("higress-core")}, True),
        ({"Chart.yaml": metadata("a", "{name: redis}"), "charts/r/Chart.yaml": metadata("redis")}, False),
        ({"Chart.yaml": metadata("higress-core")}, False),
    ],
)
def test_umbrellas(files: dict[str, str], expected: bool) -> None:
    assert read(files).is_umbrella is expected


def test_one_subchart_for_two_dependencies() -> None:
    contents = read(
        {
            "Chart.yaml": metadata("a", "{name: redis, alias: one}", "{name: redis, alias: two}"),
            "charts/redis/Chart.yaml": metadata("redis"),
            "charts/redis/values.yaml": "{port: 1}",
            "charts/redis/crds/a.yaml": definition("a"),
        }
    )
    assert contents.values == {"one": {"port": 1}, "two": {"port": 1}}
    assert names(contents) == ["a.example.com"]


def test_subcharts_without_end() -> None:
    files = {"charts/a/" * depth + "Chart.yaml": metadata("a") for depth in range(9)}
    assert refused(files) == f"{'charts/a/' * 6} is a subchart more than 5 levels down"
