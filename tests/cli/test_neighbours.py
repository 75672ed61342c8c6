"""Tenants of a folder with releases; in clusters: tests/cluster/test_check_collisions.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from entryproxy.cli import main
from tests.cli.folders import folder as folder
from tests.config.objects import config_map


def declare(folder: Path, tenant: str, document: str, created: str = "2026-01-01T00:00:00Z") -> None:
    (folder / f"{tenant}.yaml").write_text(config_map(tenant, {"tenant.yaml": document}, creationTimestamp=created))


def reasons(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Object and reason of each error."""
    status = main(["check", str(folder)])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error: ")]
    assert status == (1 if lines else 0)
    return [(line.split()[2], line.rpartition(" ")[2]) for line in lines]


def test_defaults_live_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for tenant in ("t2", "t3", "t4"):
        declare(folder, tenant, "release: {}")
    assert reasons(folder, capsys) == []


def test_the_older_tenant_goes_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(folder, "t2", "release: {gatewayAPI: true}", created="2026-02-01T00:00:00Z")
    declare(folder, "t3", "release: {gatewayAPI: true}")
    declare(folder, "t4", "release: {enabled: false, gatewayAPI: true}", created="2025-01-01T00:00:00Z")
    assert reasons(folder, capsys) == [("higress-system/t2", "[GatewayApiTaken]")]


def test_what_is_no_tenants_to_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(folder, "t2", "release: {values: {gateway: null}}")
    declare(folder, "t3", "release: {isolation: shared}")
    assert set(reasons(folder, capsys)) == {
        ("higress-system/t2", "[ReservedValue]"),
        ("higress-system/t3", "[NamespaceMissing]"),
        ("higress-system/t3", "[WrongService]"),
    }


def test_who_is_not_in_force_wants_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(folder, "t2", "release: {gatewayAPI: true, chart: 'ftp://x'}")
    declare(folder, "t3", "release: {gatewayAPI: true}", created="2026-02-01T00:00:00Z")
    assert reasons(folder, capsys) == [("higress-system/t2", "[InvalidObject]")]
