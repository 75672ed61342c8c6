from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from entryproxy.cli import main
from entryproxy.config.manifests import read_object
from entryproxy.model.objects import LabelledConfigMap, LabelledSecret
from tests.certificates import Authority, Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Also in the files c.pem and k.pem."""
    pair = Authority().issue("app.customer.com")
    (tmp_path / "c.pem").write_text(pair.chain_pem)
    (tmp_path / "k.pem").write_text(pair.key_pem)
    return pair


def test_the_least_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenant", "render", "t1"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "t1",
            "namespace": "higress-system",
            "labels": {"entryproxy.higress.io/tenant": "t1"},
        },
    }


def test_an_id_of_digits_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenant", "render", "123", "--namespace", "ns"]) == 0
    metadata = yaml.safe_load(capsys.readouterr().out)["metadata"]
    assert (metadata["name"], metadata["labels"]) == ("123", {"entryproxy.higress.io/tenant": "123"})


def test_only_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenant", "render", "t1", "--domain", "app.customer.com", "--connections", "5"]) == 0
    labelled = read_object(yaml.safe_load(capsys.readouterr().out), "", "")
    assert isinstance(labelled, LabelledConfigMap)
    assert yaml.safe_load(labelled.data["tenant.yaml"]) == {
        "domains": ["app.customer.com"],
        "limits": {"connections": 5},
    }


def test_keys_are_shown_on_request_only(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["tenant", "render", "t1", "--certificate", f"t1-tls={tmp_path}/c.pem,{tmp_path}/k.pem"]
    assert main(command) == 0
    without = capsys.readouterr().out
    assert [one["kind"] for one in yaml.safe_load_all(without) if one] == ["ConfigMap"]
    assert f"kubectl create secret tls t1-tls --namespace higress-system --cert {tmp_path}/c.pem" in without
    assert "kubectl label secret t1-tls --namespace higress-system entryproxy.higress.io/tenant=t1" in without

    assert main([*command, "--with-secrets"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# Holds a private key")
    secret, config_map = yaml.safe_load_all(shown)
    assert config_map["kind"] == "ConfigMap"
    labelled = read_object(secret, "", "")
    assert isinstance(labelled, LabelledSecret)
    assert (labelled.name, labelled.tenant) == ("t1-tls", "t1")
    assert (labelled.certificate_pem.decode(), labelled.key_pem.reveal().decode()) == (pair.chain_pem, pair.key_pem)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--domain", "nolabel"], "tenant.yaml: $.domains[0]"),
        (["--gateway-port", "99999"], "tenant.yaml: $.gateway.port"),
        (["--gateway-protocol", "h2c"], "[Unsupported]"),
        (["--certificate", "x={folder}/c.pem,{folder}/other.pem"], "The key does not belong to the certificate"),
        (["--gateway-ca", "{folder}/k.pem"], "ca.crt"),
    ],
)
def test_what_the_entry_would_reject_is_not_printed(
    arguments: list[str], complaint: str, pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.pem").write_text(Authority().issue("x.example").key_pem)
    assert main(["tenant", "render", "t1", *(one.format(folder=tmp_path) for one in arguments)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert "PRIVATE" not in said.err


def test_warnings_beside_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = Authority().issue("app.customer.com", days=-1)
    (tmp_path / "c").write_text(old.chain_pem)
    (tmp_path / "k").write_text(old.key_pem)
    assert main(["tenant", "render", "t1", "--certificate", f"x={tmp_path}/c,{tmp_path}/k"]) == 0
    said = capsys.readouterr()
    assert "[CertificateExpired]" in said.err
    assert "kind: ConfigMap" in said.out
