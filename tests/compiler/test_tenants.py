from __future__ import annotations

import pytest

from entryproxy.compiler.tenants import parse_domain, parse_tenant, render_hsts, split_address
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.tenant import Hsts
from tests.compiler.objects import config


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:9001", ("127.0.0.1", 9001)),
        ("Gateway.Local:80", ("gateway.local", 80)),
        ("gateway:80", ("gateway", 80)),
        ("[::1]:80", ("::1", 80)),
        ("[FE80::1]:65535", ("fe80::1", 65535)),
        ("::1:80", None),
        ("[127.0.0.1]:80", None),
        ("[::1]", None),
        ("[nonsense]:80", None),
        ("gateway", None),
        ("gateway:", None),
        ("gateway:0", None),
        ("gateway:65536", None),
        ("gateway:８０", None),
        ("-bad:80", None),
        ("a b:80", None),
        ("http://a:80", None),
        ("a:80\n", None),
        ("999.1.1.1:80", None),
        ("", None),
    ],
)
def test_split_address(address: str, expected: tuple[str, int] | None) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("App.Customer.COM.", "app.customer.com"), ("*.Customer.com", "*.customer.com")]
)
def test_parse_domain(text: str, expected: str) -> None:
    assert parse_domain(text) == expected


@pytest.mark.parametrize("text", ["", ".", "com", "*.com", "*", "*.*.com", "a..b", "a.b:80", "a.b/", "1.2.3.4", "ä.de"])
def test_domains_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not"):
        parse_domain(text)


def test_hsts() -> None:
    assert render_hsts(False) == ""
    assert render_hsts(True) == "max-age=31536000"
    assert render_hsts(Hsts(max_age=5, include_sub_domains=True)) == "max-age=5; includeSubDomains"


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("namespace: {quota: {cpu: '6'}}", ["tenant.yaml: $.namespace"]),
        ("namespace: {admins: ['group:x']}\nrelease:", ["tenant.yaml: $.namespace"]),
        ("namespace: {networkPolicy: true}", []),
        ("namespace: {quota: {cpu: '6'}}\nrelease: {}", []),
        ("namespace: {quota: {cpu: '6'}}\nrelease: {enabled: false}", []),
    ],
)
def test_a_namespace_that_nobody_makes(document: str, fields: list[str]) -> None:
    _, findings = parse_tenant(config("t1", document), parse_yaml, endpoints_known=True)
    assert [one.field for one in findings if one.reason == "NoEffect"] == fields
    assert {one.severity for one in findings} <= {"warning"}
