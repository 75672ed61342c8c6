from __future__ import annotations

from typing import Any

import msgspec
import pytest

from entryproxy.model.tenant import Hsts, PlatformSpec, TenantSpec, Timeouts


def test_the_documented_defaults() -> None:
    spec = msgspec.convert({}, TenantSpec)
    assert (spec.gateway.service, spec.gateway.port, spec.gateway.protocol) == ("higress-gateway", 80, "http")
    assert spec.gateway.balance == "service"
    assert spec.timeouts == Timeouts(connect=2, first_byte=300, idle=300)
    assert msgspec.to_builtins(spec.limits) == {"requestBodyBytes": 0, "requestsPerSecond": 0, "connections": 0}
    assert (spec.hsts, spec.https_redirect, spec.domains) == (False, None, ())
    platform = msgspec.convert({"systemDomain": "a.b"}, PlatformSpec)
    assert (platform.unknown_sni, platform.https_redirect, platform.tls.min_version) == ("reject", True, "1.2")


def test_names_are_as_in_the_contract() -> None:
    spec = msgspec.convert(
        {"hsts": {"maxAge": 5, "includeSubDomains": True}, "timeouts": {"firstByte": 1, "idle": 0.5}}, TenantSpec
    )
    assert spec.hsts == Hsts(max_age=5, include_sub_domains=True)
    assert (spec.timeouts.first_byte, spec.timeouts.idle) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"timeouts": {"connect": 0}}, "$.timeouts.connect"),
        ({"timeouts": {"idle": 86_401}}, "$.timeouts.idle"),
        ({"timeouts": {"idle": float("nan")}}, "$.timeouts.idle"),
        ({"limits": {"connections": True}}, "$.limits.connections"),
        ({"limits": {"connections": 2**53 + 1}}, "$.limits.connections"),
        ({"limits": None}, "$.limits"),
        ({"gateway": {"port": 65_536}}, "$.gateway.port"),
        ({"gateway": {"protocol": "h3"}}, "$.gateway.protocol"),
        ({"domains": "a.b"}, "$.domains"),
        ({"domains": [1]}, "$.domains[0]"),
        ({"unknown": 1}, "unknown"),
        ({"gateway": {"unknown": 1}}, "$.gateway"),
    ],
)
def test_what_is_refused(document: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(document, TenantSpec, strict=True)
    assert path in str(caught.value)
