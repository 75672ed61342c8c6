from __future__ import annotations

from typing import Any

import pytest

from entryproxy.compiler.advice import allowed_values, nearest_field
from entryproxy.compiler.documents import validate
from entryproxy.compiler.findings import Rejected
from entryproxy.model.tenant import TenantSpec


@pytest.mark.parametrize(
    ("path", "name", "meant"),
    [
        ("$", "domain", "domains"),
        ("$.release", "profil", "profile"),
        ("$.release", "gatewayApi", "gatewayAPI"),
        ("$.namespace.quota", "memroy", "memory"),
        ("$.release", "zzz", ""),
        ("$.release.values", "profil", ""),
        ("$.namespace.admins[...]", "x", ""),
        ("$.nowhere.at.all", "x", ""),
        ("$", "domain" * 200_000, ""),
    ],
)
def test_nearest_field(path: str, name: str, meant: str) -> None:
    assert nearest_field(TenantSpec, path, name) == meant


def test_allowed_values() -> None:
    assert allowed_values(TenantSpec, "$.release.profile") == ("dev", "prod", "staging", "test")
    assert allowed_values(TenantSpec, "$.release.values") == ()
    assert allowed_values(TenantSpec, "$.release") == ()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"release": {"profil": "test"}}, "$.release.profil: Unknown field (do you mean profile?)"),
        ({"zzz": 1}, "$.zzz: Unknown field"),
        ({"release": {"profile": "tset"}}, "$.release.profile: Invalid enum value 'tset'; expected dev, prod,"),
        ({"namespace": {"quota": {"cpu": 6}}}, "$.namespace.quota.cpu: Expected `str`, got `int`; put it in quotes"),
        ({"namespace": {"admins": ["group:a", 5]}}, "$.namespace.admins[1]: Expected `str`, got `int`; put it in"),
        ({"domains": {}}, "$.domains: Expected `array`, got `object`"),
    ],
)
def test_what_is_told(document: dict[str, Any], told: str) -> None:
    with pytest.raises(Rejected) as rejected:
        validate("tenant.yaml", document, TenantSpec)
    assert f"{rejected.value.field}: {rejected.value.message}".startswith(f"tenant.yaml: {told}")
