"""golden/<scenario>.in.yaml, a tenant's document and the chart, → golden/<scenario>.out.yaml, all that it wants.

How outputs are written: tests/golden.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.desired import Chart, make_desired, release_digest
from entryproxy.provision.state import Desired, Rendering
from tests.golden import Golden
from tests.provision.test_digests import VALUES, reverse

GOLDEN = Golden(Path(__file__).parent / "golden")
CHART = Chart(path="/charts/higress-core.tgz", version="2.2.1", digest="c0ffee")


def desired(document: dict[str, Any], chart: Chart = CHART, helm: str = "4.2.4") -> Desired:
    return make_desired(
        "acme",
        msgspec.convert(document, TenantSpec),
        source="entry/acme",
        uid="u1",
        entry_namespace="entry",
        chart=chart,
        helm_version=helm,
    )


@pytest.mark.parametrize("scenario", GOLDEN.scenarios)
def test_golden(scenario: str, pytestconfig: pytest.Config) -> None:
    document = GOLDEN.input(scenario)
    chart = msgspec.structs.replace(CHART, is_umbrella=document.get("umbrella", False))
    wanted = desired(document["tenant"], chart)
    actual = yaml.safe_load(msgspec.json.encode(wanted))  # tuples as lists
    GOLDEN.check(scenario, actual, pytestconfig)


def test_every_output_has_an_input() -> None:
    GOLDEN.check_names()


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_the_release_s_digest_ignores_the_order_of_keys(values: dict[str, Any]) -> None:
    digest = release_digest(CHART, values, Rendering(), helm_version="4.2.4")
    assert release_digest(CHART, reverse(values), Rendering(), helm_version="4.2.4") == digest
    assert len(digest) <= 63


def test_the_release_s_digest_knows_all_that_decides() -> None:
    values = {"a": 1}
    others = [
        release_digest(CHART, values, Rendering(), helm_version="4.2.4"),
        release_digest(CHART, values, Rendering(), helm_version="4.3.0"),
        release_digest(CHART, values, Rendering(watched="apps"), helm_version="4.2.4"),
        release_digest(CHART, values, Rendering(has_config=False), helm_version="4.2.4"),
        release_digest(CHART, {"a": 2}, Rendering(), helm_version="4.2.4"),
        release_digest(msgspec.structs.replace(CHART, digest="decaf"), values, Rendering(), helm_version="4.2.4"),
        release_digest(msgspec.structs.replace(CHART, version="2.2.2"), values, Rendering(), helm_version="4.2.4"),
    ]
    assert len(set(others)) == len(others)


def test_rules_of_post_rendering_are_part_of_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = desired({"release": {}}).release.digest
    monkeypatch.setattr("entryproxy.provision.desired.POST_RENDERING_VERSION", 1_000)
    assert desired({"release": {}}).release.digest != before


def test_where_the_chart_lies_does_not_count() -> None:
    moved = msgspec.structs.replace(CHART, path="/elsewhere.tgz")
    assert desired({"release": {}}, moved).release.digest == desired({"release": {}}).release.digest


def test_the_namespace_s_part_needs_no_helm() -> None:
    one, other = desired({"release": {}}), desired({"release": {}, "namespace": {"quota": {"cpu": "90"}}})
    assert one.release == other.release
    assert one.objects != other.objects


def test_the_policy_follows_the_gateway() -> None:
    document = {"release": {"values": {"gateway": {"httpPort": 8080}}}, "gateway": {"namespace": "mine"}}
    [_, _, policy] = desired(document).objects
    assert policy["spec"]["podSelector"]["matchLabels"] == {"higress": "mine-higress-gateway"}
    assert [port["port"] for port in policy["spec"]["ingress"][0]["ports"]] == [8080, 443, 15020]


@pytest.mark.parametrize(
    ("isolation", "values", "watched"),
    [
        ("namespace", {}, ""),
        ("shared", {}, ""),
        ("class", {}, ""),
        ("class", {"global": {"watchNamespace": "acme-gateway"}}, ""),
        ("class", {"global": {"watchNamespace": "apps"}}, "apps"),
        ("class", {"higress-core": {"global": {"watchNamespace": "apps"}}}, "apps"),
    ],
)
def test_rendering_knows_the_watched_namespace(isolation: str, values: dict[str, Any], watched: str) -> None:
    release = desired({"release": {"isolation": isolation, "values": values}}).release
    assert release.rendering == Rendering(watched=watched)


def test_pods_are_dialled_by_the_label_of_their_service() -> None:
    release = desired({"gateway": {"balance": "endpoints"}, "release": {}}).release
    assert release.rendering == Rendering(service="higress-gateway", tenant="acme")
    shared = {"namespace": "pool", "service": "acme-gateway", "balance": "endpoints"}
    assert desired({"gateway": shared, "release": {"isolation": "shared"}}).release.rendering.service == "acme-gateway"
    assert release.digest != desired({"release": {}}).release.digest


def test_definitions_and_whose_the_configuration_is_are_handed_on() -> None:
    definition = {"kind": "CustomResourceDefinition"}
    wanted = make_desired(
        "acme",
        msgspec.convert({"release": {}}, TenantSpec),
        source="entry/acme",
        uid="u1",
        entry_namespace="entry",
        chart=CHART,
        helm_version="4.2.4",
        has_config=False,
        definitions=[definition],
    )
    assert wanted.definitions == (definition,)
    assert wanted.release.rendering == Rendering(has_config=False)
    assert wanted.release.digest != desired({"release": {}}).release.digest
