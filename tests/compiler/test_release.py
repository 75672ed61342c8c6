from __future__ import annotations

from typing import Any

import pytest

from entryproxy.compiler.findings import Rejected
from entryproxy.compiler.release import check_release
from entryproxy.model.release import NamespaceSpec, QuotaSpec, ReleaseSpec
from tests.compiler.objects import Following, config, settings
from tests.compiler.pairs import NOW


@pytest.mark.parametrize(
    ("release", "namespace", "field", "message"),
    [
        ({"chart": "-f"}, {}, "release.chart", '"-f" is not a chart'),
        ({"version": "2"}, {}, "release.version", '"2" is not one exact version'),
        ({}, {"quota": QuotaSpec(cpu="two")}, "namespace.quota.cpu", '"two" is not a Kubernetes quantity'),
        ({}, {"quota": QuotaSpec(memory="-1Gi")}, "namespace.quota.memory", '"-1Gi" is less than nothing'),
        ({}, {"quota": QuotaSpec(storage="9Ei")}, "namespace.quota.storage", '"9Ei" is more than'),
        ({}, {"admins": ("group:a", "")}, "namespace.admins[1]", '"" is not "group:NAME"'),
    ],
)
def test_what_is_rejected(release: dict[str, Any], namespace: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        check_release("tenant.yaml", ReleaseSpec(**release), NamespaceSpec(**namespace))
    assert caught.value.field == f"tenant.yaml: $.{field}"
    assert caught.value.message.startswith(message)


def test_what_is_not() -> None:
    check_release("tenant.yaml", None, NamespaceSpec())
    check_release("tenant.yaml", ReleaseSpec(), NamespaceSpec(quota=QuotaSpec(cpu="0")))
    check_release(
        "tenant.yaml",
        ReleaseSpec(chart="higress-core", version="2.2.1"),
        NamespaceSpec(
            quota=QuotaSpec(cpu="10", memory="20Gi", storage="1Ti"), admins=("group:a", "user:b", "serviceaccount:c/d")
        ),
    )


def test_the_namespace_counts_without_a_release() -> None:
    with pytest.raises(Rejected, match="is not a Kubernetes quantity"):
        check_release("tenant.yaml", None, NamespaceSpec(quota=QuotaSpec(cpu="two")))


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"release": {"chrat": "a"}}, "$.release.chrat"),
        ({"release": {"version": 2.2}}, "$.release.version"),
        ({"namespace": {"quota": {"cpus": "1"}}}, "$.namespace.quota.cpus"),
        ({"namespace": {"admins": ["a"]}}, "$.namespace.admins[0]"),
    ],
)
def test_the_last_good_version_stays(bad: dict[str, Any], field: str) -> None:
    compiler = Following()
    good = compiler.compile([settings(), config("t", {"domains": ["a.org"], "release": {}}, version="1")], NOW)
    after = compiler.compile([settings(), config("t", {"domains": ["b.org"], **bad}, version="2")], NOW)
    assert after.tenants["t"] == good.tenants["t"]
    assert [one.field for one in after.findings if one.severity == "error"] == [f"tenant.yaml: {field}"]
