from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.judgement import judge
from tests.charts import SMALL

VALUES: dict[str, Any] = yaml.safe_load((SMALL / "values.yaml").read_text())
UMBRELLA = {"global": VALUES["global"], "higress-core": VALUES, "higress-console": {}}
QUOTA = {"kind": "ResourceQuota", "metadata": {"name": "theirs"}, "spec": {"hard": {"limits.cpu": "90"}}}
SMALL_QUOTA = {"quota": {"cpu": "1"}}


def judged(
    document: dict[str, Any],
    chart_values: dict[str, Any] = VALUES,
    *,
    is_umbrella: bool = False,
    live_objects: tuple[dict[str, Any], ...] = (),
) -> list[tuple[str, str]]:
    problems = judge(
        "acme",
        msgspec.convert(document, TenantSpec),
        chart_name="some-chart",
        chart_values=chart_values,
        is_umbrella=is_umbrella,
        entry_namespace="entry",
        live_objects=live_objects,
    )
    return [(problem.field, problem.reason) for problem in problems]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"release": {}}, []),
        ({"release": {}, "gateway": {"namespace": "entry"}}, [("gateway.namespace", "ReservedNamespace")]),
        ({"release": {"values": {"gateway": {"name": "x"}}}}, [("release.values.gateway.name", "ReservedValue")]),
        ({"release": {"values": {"gateways": {}}}}, [("release.values.gateways", "InvalidValue")]),
        ({"release": {}, "namespace": SMALL_QUOTA}, [("namespace.quota.cpu", "QuotaTooSmall")]),
        (
            {"release": {"values": {"gateway": None, "x": 1}}, "gateway": {"service": "y"}, "namespace": SMALL_QUOTA},
            [
                ("gateway.service", "WrongService"),
                ("release.values.gateway", "ReservedValue"),
                ("release.values.x", "InvalidValue"),
            ],
        ),
        (
            {
                "release": {"isolation": "class", "values": {"global": {"watchNamespace": "apps"}}},
                "namespace": SMALL_QUOTA,
            },
            [("release.values.global.watchNamespace", "WatchedElsewhere"), ("namespace.quota.cpu", "QuotaTooSmall")],
        ),
    ],
)
def test_order_and_what_depends_on_what(document: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert judged(document) == expected


def test_objects_that_are_there_count() -> None:
    assert judged({"release": {}}, live_objects=(QUOTA,)) == [("namespace.quota", "LimitRangeMissing")]


def test_umbrella() -> None:
    values = {"higress-core": {"gateway": {"resources": {"limits": None}}}, "higress-console": {"replicaCount": 0}}
    assert judged({"release": {"values": values}}, UMBRELLA, is_umbrella=True) == []
    wrong: dict[str, Any] = {"release": {"values": {"gateway": {}}}}
    assert judged(wrong, UMBRELLA, is_umbrella=True) == [("release.values.gateway", "InvalidValue")]


@pytest.mark.parametrize(
    ("chart_values", "is_umbrella"),
    [
        ({}, False),
        ({"replicaCount": 1, "image": {}}, False),
        (UMBRELLA, False),
        (VALUES, True),
        ({"higress-core": {}}, True),
    ],
)
def test_another_chart(chart_values: dict[str, Any], is_umbrella: bool) -> None:
    document = {"release": {"values": {"image": 1}}, "gateway": {"namespace": "entry"}}
    assert judged(document, chart_values, is_umbrella=is_umbrella) == [("release.chart", "UnknownChart")]
