from __future__ import annotations

from typing import Any

import msgspec
import pytest

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.placement import check_chart_source, check_fences, check_placement


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"release": {}}, []),
        ({"release": {}, "gateway": {"namespace": "mine"}}, []),
        ({"release": {}, "gateway": {"namespace": "entry"}}, [("gateway.namespace", "ReservedNamespace")]),
        (
            {"release": {"isolation": "class"}, "gateway": {"namespace": "entry"}},
            [("gateway.namespace", "ReservedNamespace")],
        ),
        ({"release": {}, "gateway": {"namespace": "kube-system"}}, [("gateway.namespace", "ReservedNamespace")]),
        ({"release": {}, "gateway": {"service": "acme-gateway"}}, [("gateway.service", "WrongService")]),
        ({"release": {}, "gateway": {"service": "other", "addresses": ["127.0.0.1:9001"]}}, []),
        (
            {"release": {"isolation": "shared"}},
            [("gateway.namespace", "NamespaceMissing"), ("gateway.service", "WrongService")],
        ),
        (
            {"release": {"isolation": "shared"}, "gateway": {"namespace": "pool"}},
            [("gateway.service", "WrongService")],
        ),
        ({"release": {"isolation": "shared"}, "gateway": {"namespace": "pool", "service": "acme-gateway"}}, []),
    ],
)
def test_placement(document: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    problems = check_placement("acme", msgspec.convert(document, TenantSpec), entry_namespace="entry")
    assert [(problem.field, problem.reason) for problem in problems] == expected
    assert all(problem.is_fatal for problem in problems)


def test_an_id_that_makes_the_entry_s_own_namespace() -> None:
    (problem,) = check_placement("edge", msgspec.convert({"release": {}}, TenantSpec), entry_namespace="edge-gateway")
    assert (problem.field, problem.reason) == ("gateway.namespace", "ReservedNamespace")


@pytest.mark.parametrize(("namespace", "is_refused"), [("pool", False), ("vault", True)])
def test_namespaces_that_the_operator_shares(namespace: str, is_refused: bool) -> None:
    gateway = {"namespace": namespace, "service": "acme-gateway"}
    shared = {"release": {"isolation": "shared"}, "gateway": gateway}
    watching = {"release": {"isolation": "class", "values": {"global": {"watchNamespace": namespace}}}}
    for document, field in ((shared, "gateway.namespace"), (watching, "release.values.global.watchNamespace")):
        spec = msgspec.convert(document, TenantSpec)
        problems = check_placement("acme", spec, entry_namespace="entry", shared_namespaces=("pool",))
        fatal = [(one.field, one.reason) for one in problems if one.is_fatal]
        assert fatal == ([(field, "NamespaceNotShared")] if is_refused else [])
    for isolation in ("namespace", "class"):
        document = {"release": {"isolation": isolation}, "gateway": {"namespace": "mine"}}
        spec = msgspec.convert(document, TenantSpec)
        assert check_placement("acme", spec, entry_namespace="entry", shared_namespaces=()) == []


@pytest.mark.parametrize(
    ("chart", "registries", "is_allowed"),
    [
        ("higress-core", (), True),
        ("./vendored/core", (), True),
        ("oci://r.example/charts/core", (), False),
        ("oci://r.example/charts/core", ("higress-core",), False),
        ("oci://r.example/charts/core", ("oci://r.example/charts/core",), True),
        ("oci://r.example/charts/core", ("oci://other", "oci://r.example/charts/"), True),
        ("oci://r.example/charts/core", ("oci://r.example/chart",), False),
        ("oci://r.example.evil/charts/core", ("oci://r.example",), False),
        ("oci://r.example@evil/core", ("oci://r.example",), False),
        ("oci://r.example/charts/../other/core", ("oci://r.example/charts",), False),
    ],
)
def test_where_charts_may_be_from(chart: str, registries: tuple[str, ...], is_allowed: bool) -> None:
    reasons = [one.reason for one in check_chart_source(chart, registries=registries)]
    assert reasons == ([] if is_allowed else ["RegistryNotAllowed"])


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        ("acme-gateway", []),
        ("apps", [("WatchedElsewhere", False)]),
        ("entry", [("ReservedNamespace", True)]),
        ("kube-system", [("ReservedNamespace", True)]),
        ("", [("InvalidName", True)]),
        (None, [("InvalidName", True)]),
        (["apps"], [("InvalidName", True)]),
        ("a,b", [("InvalidName", True)]),
    ],
)
@pytest.mark.parametrize("prefix", ["", "higress-core"])
def test_watched_namespace(watched: Any, expected: list[tuple[str, bool]], prefix: str) -> None:
    own: dict[str, Any] = {"global": {"watchNamespace": watched}}
    document = {"release": {"isolation": "class", "values": {prefix: own} if prefix else own}}
    problems = check_placement("acme", msgspec.convert(document, TenantSpec), entry_namespace="entry")
    assert [(problem.reason, problem.is_fatal) for problem in problems] == expected
    assert all(problem.field == "release.values.global.watchNamespace" for problem in problems)


@pytest.mark.parametrize("own", [{}, {"global": None}, {"global": "x"}, {"higress-core": []}])
def test_without_a_watched_namespace(own: dict[str, Any]) -> None:
    """What isn't a mapping is for `value_ownership` to refuse."""
    document = {"release": {"isolation": "class", "values": own}}
    assert check_placement("acme", msgspec.convert(document, TenantSpec), entry_namespace="entry") == []


@pytest.mark.parametrize(
    ("level", "is_fenced"),
    [("baseline", True), ("restricted", True), ("privileged", False), ("", False), (None, False)],
)
def test_fences_of_a_shared_namespace(level: str | None, is_fenced: bool) -> None:
    labels = {"team": "edge", "pod-security.kubernetes.io/warn": "baseline"}
    if level is not None:
        labels["pod-security.kubernetes.io/enforce"] = level
    problems = check_fences("pool", labels)
    assert [(one.field, one.reason, one.is_fatal) for one in problems] == (
        [] if is_fenced else [("gateway.namespace", "NamespaceUnfenced", True)]
    )
    assert all(
        "kubectl label namespace pool pod-security.kubernetes.io/enforce=baseline" in one.message for one in problems
    )
