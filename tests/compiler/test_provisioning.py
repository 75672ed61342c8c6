from __future__ import annotations

import itertools
from typing import Any

import pytest

from entryproxy.compiler.findings import Rejected
from entryproxy.compiler.provisioning import read_tenant_spec
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import ReleaseState
from entryproxy.model.release import NamespaceSpec, ReleaseSpec
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Tenant, TenantSpec
from tests.compiler.objects import Following, config, settings
from tests.compiler.pairs import NOW

RELEASE = {"domains": ["a.org"], "release": {"profile": "test"}}
STATES: tuple[ReleaseState, ...] = ("unknown", "failed", "served")


def test_a_document_as_written() -> None:
    spec = read_tenant_spec(config("t", {**RELEASE, "namespace": {"networkPolicy": False}}), parse_yaml)
    assert spec == TenantSpec(
        domains=("a.org",), release=ReleaseSpec(profile="test"), namespace=NamespaceSpec(network_policy=False)
    )
    assert read_tenant_spec(config("t"), parse_yaml) == TenantSpec()
    assert read_tenant_spec(config("t", {"gateway": {"balance": "endpoints"}}), parse_yaml).release is None


@pytest.mark.parametrize(
    ("tenant", "spec", "field"),
    [
        ("T", {}, "metadata.labels"),
        ("t", "release: {", "tenant.yaml"),
        ("t", {"release": {"chrat": "a"}}, "tenant.yaml: $.release.chrat"),
        ("t", {"release": {"version": "2"}}, "tenant.yaml: $.release.version"),
        ("t", {"release": {}, "domains": ["a"]}, "tenant.yaml: $.domains[0]"),
        ("t", {"release": {}, "gateway": {"protocol": "h2c"}}, "tenant.yaml: $.gateway.protocol"),
    ],
)
def test_whatever_is_wrong_with_it_rejects_it_as_the_compiler_does(tenant: str, spec: Any, field: str) -> None:
    source = config(tenant, spec)
    with pytest.raises(Rejected) as caught:
        read_tenant_spec(source, parse_yaml)
    assert caught.value.field == field
    compilation = Following().compile([settings(), source], NOW)
    assert field in [one.field for one in compilation.findings if one.severity == "error"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("", "", "")),
        ({"release": None}, ("", "", "")),
        ({"release": {"enabled": False}}, ("", "", "")),
        ({"release": {}}, ("pending", "failed", "")),
        ({"release": {"enabled": True}, "gateway": {"addresses": ["127.0.0.1:1"]}}, ("pending", "failed", "")),
    ],
)
def test_who_waits_for_a_gateway(spec: dict[str, Any], expected: tuple[str, ...]) -> None:
    compiler = Following()
    found = [compiler.compile([settings(), config("t", spec, release_state=state)], NOW) for state in STATES]
    assert tuple(one.tenants["t"].provisioning for one in found) == expected


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(STATES, 2)))
def test_the_state_counts_though_the_document_is_rejected(before: ReleaseState, after: ReleaseState) -> None:
    """The draft in force is of an earlier version, what the controller says is not."""
    compiler = Following()
    good = compiler.compile([settings(), config("t", RELEASE, uid="u", release_state=before)], NOW).tenants["t"]
    bad = config("t", {"domains": ["?"]}, uid="u", release_state=after)
    kept = compiler.compile([settings(), bad], NOW).tenants["t"]
    assert kept.domains == good.domains == ("a.org",)
    assert kept.provisioning == {"unknown": "pending", "failed": "failed", "served": ""}[after] != good.provisioning


def test_the_same_state_leaves_the_same_tenant() -> None:
    compiler = Following()
    first = compiler.compile([settings(), config("t", RELEASE, version="1")], NOW)
    second = compiler.compile([settings(), config("t", RELEASE, version="2")], NOW)
    assert second.tenants["t"] is first.tenants["t"]


@pytest.mark.parametrize("state", STATES)
def test_a_compiler_that_resumes_knows_it(state: ReleaseState) -> None:
    """With a document that is rejected by then, so that nothing but the recalled version tells."""
    first = Following().compile([settings(), config("t", RELEASE, release_state=state)], NOW)
    assert first.platform is not None
    running = Snapshot.build(first.platform, list(first.tenants.values()), 1)
    second, kept = Following(), first.tenants["t"]
    second.compiler.resume(running)
    assert _resumed(second, frozenset({""}), "t") == kept
    broken = config("t", "broken: [", release_state=state)
    assert second.compile([settings(), broken], NOW).tenants["t"] == kept


def _resumed(following: Following, unread: frozenset[str], tenant: str) -> Tenant:
    return following.compile([], NOW, unread).tenants[tenant]
