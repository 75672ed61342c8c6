from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from entryproxy.cli import main
from tests.cli.folders import folder as folder
from tests.config.objects import config_map

LIST = ["tenant", "list", "--source"]


def test_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t2.yaml").write_text(config_map("t2"))
    assert main([*LIST, str(folder)]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    columns = ["TENANT", "STATE", "RELEASE", "DOMAINS", "GATEWAY", "CERTIFICATES", "EXPIRES", "FINDINGS", "AGE"]
    assert header.split() == columns
    assert first.split() == [
        "t1",
        "InForce",
        "<none>",
        "app.customer.com",
        "127.0.0.1:9001",
        "1",
        "89d",
        "<none>",
        "0s",
    ]
    assert second.split()[:6] == ["t2", "InForce", "<none>", "<none>", "higress-gateway.t2-gateway.svc:80", "0"]


def test_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LIST, str(folder), "-o", "name"]) == 0
    assert capsys.readouterr().out == "t1\n"


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents(output: str, load: Callable[[str], Any], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LIST, str(folder), "-o", output]) == 0
    text = capsys.readouterr().out
    (item,) = load(text)["items"]
    assert (item["id"], item["state"], item["domains"]) == ("t1", "InForce", ["app.customer.com"])
    assert item["certificates"][0]["daysLeft"] == 89
    assert item["gateway"]["endpoints"] is None
    assert "PRIVATE" not in text


def test_the_source_from_the_environment(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTRYPROXY_SOURCE", str(folder))
    monkeypatch.setenv("ENTRYPROXY_OUTPUT", "name")
    assert main(["tenant", "list"]) == 0
    assert capsys.readouterr().out == "t1\n"


def test_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LIST, str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"no tenants in {tmp_path}" in said.err
    assert "warning: no settings are in force" in said.err
    assert main([*LIST, str(tmp_path), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}


def test_usage(tmp_path: Path) -> None:
    assert main([*LIST, str(tmp_path / "missing")]) == 2
    assert main([*LIST, str(tmp_path), "-o", "wide"]) == 2
