from __future__ import annotations

import json
from pathlib import Path

import pytest

from entryproxy.cli import main
from tests.cli.folders import folder as folder
from tests.config.objects import config_map


def show(*arguments: str) -> int:
    return main(["tenant", "show", *arguments])


def test_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show("t1", "--source", str(folder)) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "tenant t1 state InForce",
        "objects ConfigMap higress-system/t1 Secret ns/t1",
        "hosts *.t1.aigw.example.com t1.aigw.example.com app.customer.com",
        "gateway 127.0.0.1:9001 (http)",
        "certificates Secret ns/t1: valid, 89d, until",
        "names *.t1.aigw.example.com, app.customer.com",
        "limits request body unlimited",
        "port 80 redirects to https",
    ):
        assert part in text
    assert "PRIVATE" not in text


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show("t1", "--source", str(folder), "-o", "json") == 0
    sheet = json.loads(capsys.readouterr().out)
    assert (sheet["id"], sheet["httpsRedirect"], sheet["limits"]["connections"]) == ("t1", True, 0)
    assert sheet["hosts"][-1] == "app.customer.com"


def test_what_is_not_in_force_is_shown_with_its_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t2.yaml").write_text(config_map("t2", {"tenant.yaml": "limits: {connections: -1}"}))
    assert show("t2", "--source", str(folder)) == 0
    text = capsys.readouterr().out
    assert "Rejected" in text
    assert "[InvalidObject]" in text


def test_what_is_asked_of_the_controller(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = "release: {profile: test, values: {gateway: {}}}\nnamespace: {quota: {cpu: '6'}, admins: [group:a]}"
    (folder / "t2.yaml").write_text(config_map("t2", {"tenant.yaml": document}))
    assert show("t2", "--source", str(folder)) == 0
    text = " ".join(capsys.readouterr().out.split())
    asked = "profile test, isolation namespace, chart of the controller, version of the controller"
    assert f"asked for {asked} values for gateway quota cpu 6 admins group:a" in text
    (folder / "t2.yaml").write_text(config_map("t2", {"tenant.yaml": "release: {enabled: false}"}))
    assert show("t2", "--source", str(folder)) == 0
    assert "asked for nothing: somebody else runs the gateway" in " ".join(capsys.readouterr().out.split())


def test_no_such_tenant(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show("t9", "--source", str(folder)) == 1
    assert "no object has the label of tenant t9" in capsys.readouterr().err
    assert show("T9", "--source", str(folder)) == 2
