from __future__ import annotations

import pytest

from entryproxy.compiler.documents import decode, merge, unknown_keys, validate
from entryproxy.compiler.findings import Rejected
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.tenant import Limits, TenantSpec
from tests.compiler.objects import config


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("a: [", "tenant.yaml", "line 2: "),
        ("- a", "tenant.yaml: $", "Expected a mapping of fields"),
        ("text", "tenant.yaml: $", "Expected a mapping of fields"),
    ],
)
def test_documents_that_are_none(text: str, field: str, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(config("a", text), "tenant.yaml", parse_yaml)
    assert caught.value.field == field
    assert caught.value.message.startswith(message)


def test_the_path_of_an_error() -> None:
    for document, field in (
        ({"limits": {"connections": "x"}}, "tenant.yaml: $.limits.connections"),
        ({"limits": {"conections": 1}}, "tenant.yaml: $.limits.conections"),
        ({"limit": {}}, "tenant.yaml: $.limit"),
    ):
        with pytest.raises(Rejected) as caught:
            validate("tenant.yaml", document, TenantSpec)
        assert caught.value.field == field
        assert " - at " not in caught.value.message


def test_merging_is_field_by_field() -> None:
    defaults, own = {"limits": {"connections": 5, "requestsPerSecond": 6}}, {"limits": {"connections": 0}}
    assert merge(defaults, own, "limits", Limits) == Limits(connections=0, requests_per_second=6)
    assert merge({}, {}, "limits", Limits) == Limits()


def test_keys_that_nothing_reads() -> None:
    source = config("a", "", data={"tenant.yml": "", "ca.crt": ""})
    assert [one.field for one in unknown_keys(source, ("tenant.yaml", "ca.crt"))] == ["tenant.yml"]
