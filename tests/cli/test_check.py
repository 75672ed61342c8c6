from __future__ import annotations

import json
from pathlib import Path

import pytest

from entryproxy.cli import main
from tests.cli.folders import folder as folder
from tests.config.objects import config_map


def test_a_good_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "1 tenant and 2 certificates in force, 0 errors, 0 warnings\n"


def test_warnings_alone_are_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t2.yaml").write_text(config_map("t2"))
    assert main(["check", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("warning: ConfigMap higress-system/t2 metadata.labels (t2.yaml): No certificate covers")
    assert lines[-1] == "2 tenants and 2 certificates in force, 0 errors, 1 warning"


def test_errors_fail_and_come_first_in_a_stable_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(config_map("t3", {"tenant.yaml": "domain: [x]"}))
    (folder / "b.yaml").write_text("[broken")
    (folder / "c.yaml").write_text(config_map("t2"))
    assert main(["check", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[:-1]] == ["[InvalidObject]", "[InvalidYaml]", "[UncoveredHost]"]


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t2.yaml").write_text(config_map("t2"))
    assert main(["check", "-o", "json", str(folder)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"] == {"tenants": 2, "errors": 0, "warnings": 1}
    assert answer["findings"][0]["reason"] == "UncoveredHost"


@pytest.mark.parametrize("command", [["check"], ["explain", "a.b"]])
def test_usage(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main(command) == 2
    assert "no way to a cluster: There is no kubeconfig at" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "missing")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main([*command, "-o", "xml", str(tmp_path)]) == 2


def test_an_empty_folder_serves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 1
    assert "[NoSettings]" in capsys.readouterr().out
    assert main(["explain", "a.b", str(tmp_path)]) == 1
    assert "nothing is served" in capsys.readouterr().err
