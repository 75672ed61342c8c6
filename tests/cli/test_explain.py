from __future__ import annotations

import json
from pathlib import Path

import pytest

from entryproxy.cli import explain, main
from entryproxy.cli.judging import compile_reading
from entryproxy.model.objects import ReleaseState
from entryproxy.model.reading import Reading
from tests.certificates import Authority
from tests.cli.folders import folder as folder
from tests.compiler.objects import DOMAIN, config, secret, settings
from tests.config.objects import config_map


@pytest.mark.parametrize(
    ("host", "status", "expected"),
    [
        ("APP.t1.aigw.example.com:443", 0, ["host app.t1.aigw.example.com", "outcome served", "service app",
                                            "gateway 127.0.0.1:9001 (http)", "tenant t1 (system host)"]),
        ("app.customer.com", 0, ["tenant t1 (custom host)", "limits request body unlimited"]),
        ("unknown.org", 1, ["outcome refused in the TLS handshake", "[unknown_name]"]),
        ("app.t9.aigw.example.com", 1, ["outcome refused with 404", "does NOT cover", "[unknown_tenant]"]),
    ],
)  # fmt: skip
def test_explain(host: str, status: int, expected: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", host, str(folder)]) == status
    text = " ".join(capsys.readouterr().out.split())
    for part in expected:
        assert part in text
    assert "PRIVATE" not in text


def test_explain_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "x.t1.aigw.example.com", str(folder), "-o", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["outcome"] == "served"
    assert answer["certificate"]["source"] == "ns/t1"
    assert answer["gateway"]["addresses"] == ["127.0.0.1:9001"]
    assert answer["domainType"] == "system"


@pytest.mark.parametrize(
    ("state", "line", "word"),
    [
        (
            "unknown",
            "release its gateway has not served yet, 503 until it answers: entryproxy tenant show t1",
            "pending",
        ),
        ("failed", "release its gateway has not served yet, 503, and the last attempt failed", "failed"),
        ("served", "", ""),
    ],
)
def test_a_gateway_that_has_never_served(
    state: ReleaseState, line: str, word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Authority().issue(f"*.t1.{DOMAIN}")
    certificate = secret("t1", certificate_pem=pair.chain_pem.encode(), key_pem=pair.key_pem.encode())
    reading = Reading(changed=(settings(), config("t1", {"release": {}}, release_state=state), certificate))
    monkeypatch.setattr(explain, "judge", lambda _: compile_reading(reading, endpoints_known=True))
    assert main(["explain", f"app.t1.{DOMAIN}"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"outcome served {line}" in text
    assert ("release" in text) == bool(line)
    assert main(["explain", f"app.t1.{DOMAIN}", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["provisioning"] == word


def test_a_folder_does_not_know_how_far_a_gateway_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t2.yaml").write_text(config_map("t2", {"tenant.yaml": "release: {}"}))
    assert main(["explain", "app.t2.aigw.example.com", str(folder)]) == 0
    assert "release" not in capsys.readouterr().out
    assert main(["explain", "app.t2.aigw.example.com", str(folder), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["provisioning"] == ""
