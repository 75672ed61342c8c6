from __future__ import annotations

from typing import Any

import msgspec
import pytest

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.placement import check_placement


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"release": {}}, []),
        ({"release": {}, "gateway": {"namespace": "mine"}}, []),
        ({"release": {}, "gateway": {"namespace": "entry"}}, [("gateway.namespace", "ReservedNamespace")]),
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
