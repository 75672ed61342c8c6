from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from entryproxy.provision.value_checks import KEY_CHARACTERS_MAX, PROBLEMS_MAX, check_values
from tests.provision.test_merging import MAPPINGS

CHART: dict[str, Any] = {
    "global": {"ingressClass": "higress", "local": False, "xdsMaxRecvMsgSize": "1", "meshNetworks": {}},
    "meshConfig": {"trustDomain": "cluster.local"},
    "gateway": {
        "replicas": 2,
        "podAnnotations": {"prometheus.io/port": "15020"},
        "securityContext": None,
        "nodeSelector": {},
        "tolerations": [],
        "resources": {"requests": {"cpu": "2"}},
    },
    "tracing": {"enable": False},
}
UMBRELLA = {"global": {"o11y": {"enabled": False}}, "higress-core": CHART, "higress-console": {}}
OWN_CHART = Path(__file__).parent.parent / "charts" / "higress-core" / "values.yaml"


def judged(values: dict[str, Any], *, umbrella: bool = False) -> list[tuple[str, str]]:
    problems = check_values(values, UMBRELLA if umbrella else CHART, umbrella=umbrella)
    assert all(problem.is_fatal for problem in problems)
    return [(problem.field.removeprefix("release.values."), problem.message) for problem in problems]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gateway": {"replicas": 3}},
        {"gateway": {"replicas": None}},
        {"gateway": None},
        {"gateway": {"nodeSelector": {"disk": "ssd"}}},
        {"gateway": {"nodeSelector": {"disk": {"any": "depth"}}}},
        {"gateway": {"podAnnotations": {"mine": "x"}}},
        {"gateway": {"securityContext": {"runAsUser": 1}}},
        {"gateway": {"tolerations": [{"key": "a"}]}},
        {"gateway": {"resources": {"requests": {"cpu": 2, "ephemeral-storage": "1Gi"}}}},
        {"gateway": {"imagePullSecrets": [{"name": "a"}]}},
        {"global": {"xdsMaxRecvMsgSize": 5, "meshNetworks": {"a": {}}}},
        {"meshConfig": {"accessLogEncoding": "JSON"}},
        {"tracing": {"skywalking": {"service": "a", "port": 1}}},
    ],
)
def test_fits(values: dict[str, Any]) -> None:
    assert judged(values) == []
    inside = {key: value for key, value in values.items() if key != "global"}
    outside = {"global": values["global"]} if "global" in values else {}
    assert judged({**outside, "higress-core": inside}, umbrella=True) == []


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"gatway": {}}, "gatway", "the chart has no such key: do you mean gateway?"),
        (
            {"gateway": {"replica": 3}},
            "gateway.replica",
            "the chart has no such key: do you mean gateway.replicas?",
        ),
        ({"gateway": {"zzz": 3}}, "gateway.zzz", "the chart has no such key"),
        ({"gateway": {"resources": {"cpu": "1"}}}, "gateway.resources.cpu", "the chart has no such key"),
        ({"gateway": 3}, "gateway", "the chart has a mapping here, and this is a number"),
        ({"gateway": []}, "gateway", "the chart has a mapping here, and this is a list"),
        ({"gateway": {"replicas": {}}}, "gateway.replicas", "the chart has a number here, and this is a mapping"),
        ({"gateway": {"replicas": "3"}}, "gateway.replicas", "the chart has a number here, and this is a string"),
        ({"gateway": {"replicas": True}}, "gateway.replicas", "the chart has a number here, and this is a boolean"),
        ({"gateway": {"tolerations": {}}}, "gateway.tolerations", "the chart has a list here, and this is a mapping"),
        (
            {"gateway": {"nodeSelector": "a"}},
            "gateway.nodeSelector",
            "the chart has a mapping here, and this is a string",
        ),
        ({"global": {"local": "false"}}, "global.local", "the chart has a boolean here, and this is a string"),
        ({"global": {"ingressClass": []}}, "global.ingressClass", "the chart has a string here, and this is a list"),
        (
            {"meshConfig": {"trustDomain": {}}},
            "meshConfig.trustDomain",
            "the chart has a string here, and this is a mapping",
        ),
        ({"higress-core": {}}, "higress-core", "the chart is higress-core itself: leave this prefix out"),
    ],
)
def test_refused(values: dict[str, Any], field: str, message: str) -> None:
    assert judged(values) == [(field, message)]


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        (
            {"gateway": {"replicas": 3}},
            "gateway",
            "the umbrella chart ignores it here: write it as higress-core.gateway",
        ),
        (
            {"higress-core": {"global": {}}},
            "higress-core.global",
            "it belongs to the top, where it wins: write it as global",
        ),
        (
            {"higress-core": {"gateway": {"replica": 1}}},
            "higress-core.gateway.replica",
            "the chart has no such key: do you mean higress-core.gateway.replicas?",
        ),
        ({"higress-cor": {}}, "higress-cor", "the chart has no such key: do you mean higress-core?"),
        (
            {"global": {"ingresClass": "a"}},
            "global.ingresClass",
            "the chart has no such key: do you mean global.ingressClass?",
        ),
    ],
)
def test_refused_by_the_umbrella(values: dict[str, Any], field: str, message: str) -> None:
    assert judged(values, umbrella=True) == [(field, message)]


def test_the_umbrella_knows_the_globals_of_all_and_leaves_unknown_subcharts_alone() -> None:
    values = {"global": {"o11y": {"enabled": True}, "ingressClass": "a"}, "higress-console": {"anything": [1]}}
    assert judged(values, umbrella=True) == []


def test_every_problem_is_named() -> None:
    fields = [field for field, _ in judged({"a": 1, "gateway": {"b": 1, "replicas": "x"}})]
    assert fields == ["a", "gateway.b", "gateway.replicas"]


def test_what_a_document_full_of_mistakes_costs() -> None:
    """Judged on the event loop that keeps the lease: 70,000 unknown keys took 17 seconds, one of a megabyte its own."""
    told = judged({"global": {f"unknown{number}": 1 for number in range(70_000)}})
    assert len(told) == PROBLEMS_MAX
    [(field, message)] = judged({"gateway": {"x" * 1_000_000: 1}})
    assert field == f"gateway.{'x' * KEY_CHARACTERS_MAX}…"
    assert len(message) < 1_000


def test_a_chart_s_own_values_fit_itself() -> None:
    values = yaml.safe_load(OWN_CHART.read_text())
    assert check_values(values, values, umbrella=False) == []
    wrapped = {"global": values.pop("global"), "higress-core": values}
    assert check_values(wrapped, wrapped, umbrella=True) == []


@given(MAPPINGS, MAPPINGS)
def test_anything_fits_itself_and_everything_is_judged(values: dict[str, Any], chart_values: dict[str, Any]) -> None:
    assert check_values(values, values, umbrella=False) == []
    fields = {problem.field for problem in check_values(values, chart_values, umbrella=False)}
    unknown = {f"release.values.{key}" for key in values if chart_values and key not in chart_values}
    assert unknown <= fields
