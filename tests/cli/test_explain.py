from __future__ import annotations

import json
from pathlib import Path

import pytest

from entryproxy.cli import main
from tests.cli.folders import folder as folder


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
