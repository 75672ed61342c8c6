"""Scenarios as pairs of files: golden/<scenario>.in.yaml is compiled, golden/<scenario>.out.yaml says what comes of it.

The input is a list of steps for one compiler; each step is the list of all objects at that time. A certificate is
given by its names and its days. How outputs are written: tests/golden.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from entryproxy.compiler.compile import Compilation
from entryproxy.model.certificate import Certificate
from entryproxy.model.objects import LabelledConfigMap, LabelledObject
from entryproxy.model.tenant import Platform, Tenant
from tests.compiler.objects import NAMESPACE, Following, secret
from tests.compiler.pairs import NOW
from tests.golden import Golden

GOLDEN = Golden(Path(__file__).parent / "golden")


@pytest.mark.parametrize("scenario", GOLDEN.scenarios)
def test_golden(scenario: str, pytestconfig: pytest.Config) -> None:
    compiler = Following()
    actual = [describe(compiler.compile([build(one) for one in step], NOW)) for step in GOLDEN.input(scenario)]
    GOLDEN.check(scenario, actual, pytestconfig)


def test_every_output_has_an_input() -> None:
    GOLDEN.check_names()


def build(one: dict[str, Any]) -> LabelledObject:
    created = one.get("created", "2026-01-01T00:00:00Z")
    if "secret" in one:
        extra = {"certificate_pem": b"garbage"} if one.get("garbage") else {}
        return secret(
            one["tenant"],
            *one.get("names", ()),
            name=one["secret"],
            created=created,
            start=one.get("from", -1),
            end=one.get("to", 90),
            **extra,
        )
    return LabelledConfigMap(
        namespace=NAMESPACE, name=one["config"], tenant=one["tenant"], created=created, data=one.get("data", {})
    )


def describe(compilation: Compilation) -> dict[str, Any]:
    platform = compilation.platform
    return {
        "platform": None if platform is None else _differing(platform, Platform(system_domain=platform.system_domain)),
        "tenants": {
            key: _differing(one, Tenant(id=key, gateway_addresses=())) for key, one in compilation.tenants.items()
        },
        "findings": [str(one) for one in compilation.findings],
    }


def _differing(one: msgspec.Struct, default: msgspec.Struct) -> dict[str, Any]:
    """What is not as by default, so that a pair shows what its scenario is about."""
    described: dict[str, Any] = {}
    for field in one.__struct_fields__:
        value = getattr(one, field)
        if field in ("id", "source") or (value == getattr(default, field) and field != "system_domain"):
            continue
        if field == "certificates":
            value = [_certificate(each) for each in value]
        described[field] = json.loads(msgspec.json.encode(value))
    return described


def _certificate(one: Certificate) -> dict[str, Any]:
    days = [round((time - NOW) / 86_400) for time in (one.not_before, one.not_after)]
    return {"source": one.source, "names": list(one.names), "days": days}
