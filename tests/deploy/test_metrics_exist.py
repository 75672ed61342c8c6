"""Alerts and dashboards against the metrics that the program has."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import CHART, EVERYTHING, one, render
from tests.docs.test_docs import OPERATIONS, metrics

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
ALERTS = yaml.safe_load((CHART / "rules/alerts.yaml").read_text())
CONTROLLER_ALERTS = yaml.safe_load((CHART / "rules/controller.yaml").read_text())

TARGET_LABELS = {"namespace", "pod"}  # Prometheus puts these on every series

_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_LABEL_VALUES = re.compile(r"label_values\((.*),\s*(\w+)\)")
_SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\b(?!\s*\()(?:\{([^}]*)\})?")
_OPERATORS = {"and", "or", "unless", "bool"}


def uses(expression: str) -> tuple[dict[str, set[str]], set[str]]:
    """PromQL → what it selects, as series → labels in its matchers, and the labels it groups by.

    Enough of PromQL for the expressions here; a name that isn't understood counts as a series, and fails the test.
    """
    text = _STRING.sub('""', expression)
    groups: set[str] = set()
    if match := _LABEL_VALUES.fullmatch(text):
        text, label = match.groups()
        groups.add(label)
    for match in _GROUPING.finditer(text):
        groups.update(name.strip() for name in match[1].split(","))
    text = _RANGE.sub("", _GROUPING.sub("", text))
    found = {
        match[1]: {part.strip(' !=~"') for part in (match[2] or "").split(",") if part}
        for match in _SELECTOR.finditer(text)
        if match[1] not in _OPERATORS
    }
    return found, groups


def labels_of(series: str) -> set[str]:
    """The labels of a series as docs/operations.md lists them; raises KeyError when the program has no such series."""
    bucket = series.removesuffix("_bucket")
    name = bucket if bucket in metrics() else series
    if name not in metrics():
        raise KeyError(series)
    row = re.search(rf"^\| `{name}(?:{{([^}}]*)}})?`", OPERATIONS, re.MULTILINE)
    assert row is not None
    return {*(row[1] or "").split(","), *({"le"} if series.endswith("_bucket") else ())} - {""}


def dashboard_expressions(dashboard: Any) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        for expression in dashboard_expressions(json.loads(path.read_text())):
            yield path.stem, expression


def rules() -> Iterator[Any]:
    groups = (*ALERTS["groups"], *CONTROLLER_ALERTS["groups"])
    return itertools.chain.from_iterable(group["rules"] for group in groups)


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_series_and_labels_exist(where: str, expression: str) -> None:
    found, groups = uses(expression)
    assert found, where
    known = TARGET_LABELS.union(*(labels_of(series) for series in found))
    for series, matchers in found.items():
        assert matchers <= labels_of(series) | TARGET_LABELS, series
    assert groups <= known


def test_what_does_not_exist_would_be_noticed() -> None:
    found, groups = uses('sum by (le, tenant) (rate(entryproxy_x_bucket{code=~"5..",a!="}"}[5m])) > up and time() > 1')
    assert found == {"entryproxy_x_bucket": {"code", "a"}, "up": set()}
    assert groups == {"le", "tenant"}
    with pytest.raises(KeyError):
        labels_of("entryproxy_requests")
    assert labels_of("entryproxy_time_to_first_byte_seconds_bucket") == {"tenant", "le"}


def test_alerts_say_what_and_how_bad() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} == set(rule["annotations"])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_go_by_their_variables(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert variables[:2] == ["datasource", "namespace"]
    assert ("tenant" in variables) == (path.stem == "tenant")
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    for panel in panels:
        for target in panel["targets"]:
            for variable in variables[1:]:
                assert f'{variable}="${variable}"' in target["expr"], panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        area = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert not area & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= area


def test_the_chart_hands_them_on_as_they_are() -> None:
    objects = render(EVERYTHING)
    assert one(objects, "PrometheusRule")["spec"] == ALERTS
    config_map = one(objects, "ConfigMap", "-dashboards")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config_map["data"] == {path.name: path.read_text() for path in DASHBOARDS}
