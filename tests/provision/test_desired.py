"""golden/<scenario>.in.yaml, a tenant's document and the chart, → golden/<scenario>.out.yaml, all that it wants.

`pytest tests/compiler tests/provision --regenerate-golden` writes the outputs; read the difference before committing.
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
from entryproxy.provision.state import Desired
from tests.provision.test_digests import VALUES, reverse

FOLDER = Path(__file__).parent / "golden"
SCENARIOS = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))
CHART = Chart(path="/charts/higress-core.tgz", version="2.2.1", digest="c0ffee")


def desired(
    document: dict[str, Any], chart: Chart = CHART, helm: str = "4.2.4", replicas: int | None = None
) -> Desired:
    return make_desired(
        "acme",
        msgspec.convert(document, TenantSpec),
        source="entry/acme",
        uid="u1",
        entry_namespace="entry",
        chart=chart,
        helm_version=helm,
        replicas=replicas,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_golden(scenario: str, request: pytest.FixtureRequest) -> None:
    document = yaml.safe_load((FOLDER / f"{scenario}.in.yaml").read_text())
    chart = msgspec.structs.replace(CHART, is_umbrella=document.get("umbrella", False))
    wanted = desired(document["tenant"], chart, replicas=document.get("running"))
    actual = yaml.safe_load(msgspec.json.encode(wanted))  # tuples as lists
    output = FOLDER / f"{scenario}.out.yaml"
    if request.config.getoption("--regenerate-golden"):
        output.write_text(yaml.safe_dump(actual, sort_keys=False, width=200, allow_unicode=True))
    assert actual == yaml.safe_load(output.read_text())


def test_every_output_has_an_input() -> None:
    assert SCENARIOS
    assert sorted(path.name.removesuffix(".out.yaml") for path in FOLDER.glob("*.out.yaml")) == SCENARIOS


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_the_release_s_digest_ignores_the_order_of_keys(values: dict[str, Any]) -> None:
    digest = release_digest(CHART, values, helm_version="4.2.4")
    assert release_digest(CHART, reverse(values), helm_version="4.2.4") == digest
    assert len(digest) <= 63


def test_the_release_s_digest_knows_all_that_decides() -> None:
    values = {"a": 1}
    others = [
        release_digest(CHART, values, helm_version="4.2.4"),
        release_digest(CHART, values, helm_version="4.3.0"),
        release_digest(CHART, {"a": 2}, helm_version="4.2.4"),
        release_digest(msgspec.structs.replace(CHART, digest="decaf"), values, helm_version="4.2.4"),
        release_digest(msgspec.structs.replace(CHART, version="2.2.2"), values, helm_version="4.2.4"),
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
