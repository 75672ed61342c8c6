from __future__ import annotations

import json
from pathlib import Path

import pytest

from entryproxy.cli import main
from tests.certificates import Authority
from tests.config.objects import together

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME, namespace: acme-gateway}
spec:
  ingressClassName: nginx
  tls: [{hosts: [HOST], secretName: tls}]
  rules:
    - host: HOST
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: p, labels: {entryproxy.higress.io/tenant: system}}
data: {settings.yaml: "systemDomain: Aigw.Example.Com."}
"""
DOMAIN = ["--system-domain", "aigw.example.com"]


def ingress(host: str, name: str = "web") -> str:
    return INGRESS.replace("NAME", name).replace("HOST", host)


def secret(*hosts: str) -> str:
    pair = Authority().issue(*hosts)
    lines = [f'  {key}: "{text}"' for key, text in (("tls.crt", pair.chain_pem), ("tls.key", pair.key_pem))]
    material = "\n".join(lines).replace("\n-", "\\n-").replace("-\n", "-\\n")
    return (
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: tls, namespace: acme-gateway}\n"
        f"stringData:\n{material}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    there = tmp_path / "in"
    there.mkdir()
    (there / "web.yaml").write_text(together(ingress("a.com"), secret("a.com")))
    return there


def test_everything_maps(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(folder)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("TENANT acme\n")
    assert said.endswith("  Everything maps.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"], "nothing is written unless asked for"


def test_something_conflicts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.yaml").write_text(ingress("b.com", "other"))
    assert main(["migrate", str(folder)]) == 1
    assert "[CertificateNames;" in capsys.readouterr().out


def test_json(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["migrate", str(folder), "-o", "json", *DOMAIN, "--output-dir", str(out)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["isClean"] is True
    assert answer["files"] == ["settings.yaml", "tenant-acme.yaml", "copy-secrets.sh"]
    assert [one["host"] for one in answer["tenants"][0]["hosts"]] == ["a.com"]
    assert sorted(path.name for path in out.iterdir()) == sorted(answer["files"])


def test_what_was_written_is_served(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    assert main(["migrate", str(folder), *DOMAIN, "--output-dir", str(out), "--with-secrets"]) == 0
    said = capsys.readouterr().out
    assert "  secrets.yaml (holds private keys)\n" in said
    assert said.endswith(f"  Look through them, then: entryproxy check {out}\n")
    assert "PRIVATE" not in said
    assert (out / "secrets.yaml").stat().st_mode & 0o777 == 0o600
    assert main(["explain", "a.com", str(out), "-o", "json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert (explained["outcome"], explained["tenant"]) == ("served", "acme")
    assert explained["certificate"]["covered"] is True


def test_settings_that_are_there(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "settings.yaml").write_text(SETTINGS)
    (folder / "system.yaml").write_text(ingress("x.acme.aigw.example.com", "system"))
    main(["migrate", str(folder), "-o", "json", "--output-dir", str(tmp_path / "out")])
    answer = json.loads(capsys.readouterr().out)
    assert "settings.yaml" not in answer["files"]
    kinds = {one["host"]: one["kind"] for one in answer["tenants"][0]["hosts"]}
    assert kinds == {"a.com": "custom", "x.acme.aigw.example.com": "system"}


def test_what_is_checked_beside_settings_that_are_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "settings.yaml").write_text(SETTINGS)
    out = tmp_path / "out"
    assert main(["migrate", str(folder), "--output-dir", str(out)]) == 0
    assert f"a copy of the settings that are there beside them: entryproxy check {out}\n" in capsys.readouterr().out
    assert main(["check", str(out)]) == 1
    (out / "settings.yaml").write_text(SETTINGS)
    assert main(["check", str(out)]) == 0


def test_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.yaml").write_text(ingress("b.com", "b").replace("ingressClassName: nginx", "ingressClassName: inner"))
    (folder / "c.yaml").write_text(ingress("c.com", "c").replace("  ingressClassName: nginx\n", ""))

    def read(*options: str) -> list[str]:
        main(["migrate", str(folder), "-o", "json", *options])
        return [one["ingress"].rpartition("/")[2] for one in json.loads(capsys.readouterr().out)["ingresses"]]

    assert read() == ["web"]
    assert read("--ingress-class", "inner") == ["b"]
    assert read("--ingress-class", "inner,nginx") == ["b", "web"]
    assert read("--ingress-class", "inner", "--ingress-class", "nginx") == ["b", "web"]
    assert read("--watch-ingress-without-class") == ["c", "web"]
    assert main(["migrate", str(folder), "--ingress-class", "none"]) == 1
    assert "no Ingress of class none; classes that are there: (none), inner, nginx" in capsys.readouterr().err


def test_tenants_that_the_operator_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["migrate", str(folder), "-o", "json", "--tenant-of", "acme-gateway=globex,other=x"])
    assert [one["id"] for one in json.loads(capsys.readouterr().out)["tenants"]] == ["globex"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--with-secrets"], "--with-secrets needs --output-dir"),
        (["--output-dir", "OUT"], "--output-dir needs --system-domain"),
        ([*DOMAIN, "--output-dir", "IN"], "holds something already"),
        ([*DOMAIN, "--output-dir", "IN/web.yaml"], "holds something already"),
        (["--tenant-of", "a"], "is not NAMESPACE=TENANT"),
        (["--tenant-of", "a=system"], "is not NAMESPACE=TENANT"),
        (["--tenant-of", "A=b"], "is not a DNS label"),
        (["--system-domain", "example"], "is not a DNS name"),
        (["-o", "yaml"], "is none of text, json"),
    ],
)
def test_usage(options: list[str], said: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [one.replace("OUT", str(tmp_path / "out")).replace("IN", str(folder)) for one in options]
    assert main(["migrate", str(folder), *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(tmp_path / "missing")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["migrate", str(tmp_path)]) == 1
    assert "no Ingress of class nginx\n" in capsys.readouterr().err


def test_no_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--kubeconfig", str(tmp_path / "missing")]) == 2
    assert "check, explain and migrate also take a folder" in capsys.readouterr().err
