"""Manifests as people have them, and what the command makes of each: manifests/<name>.yaml is migrated, and beside it
<name>.report.txt and <name>.report.json are what it says, <name>.objects.yaml what it writes.

A manifest begins with comments: the command's options, and the certificates that its Secrets hold. `pytest
tests/migrate --regenerate-reports` writes the rest; read the difference before committing.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from entryproxy.cli import main
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.migrate.annotations import PREFIX
from entryproxy.migrate.manifests import SECRETS_FILE
from tests.certificates import Authority

FOLDER = Path(__file__).parent / "manifests"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.endswith(".objects"))
AUTHORITY = Authority()


def prepare(name: str, folder: Path) -> list[str]:
    """The manifest and its Secrets in a folder of their own; the command's options."""
    folder.mkdir()
    text = (FOLDER / f"{name}.yaml").read_text()
    (folder / f"{name}.yaml").write_text(text)
    for number, (namespace, secret, names) in enumerate(certificates(text)):
        (folder / f"secret-{number}.yaml").write_text(write_yaml(tls_secret(namespace, secret, *names)))
    (options,) = re.findall(r"^# options: (.+)$", text, re.MULTILINE)
    return shlex.split(options)


def certificates(text: str) -> Iterator[tuple[str, str, list[str]]]:
    for line in re.findall(r"^# certificate: (.+)$", text, re.MULTILINE):
        source, *names = line.split()
        namespace, _, secret = source.partition("/")
        yield namespace, secret, names


def tls_secret(namespace: str, name: str, *hosts: str) -> dict[str, object]:
    pair = AUTHORITY.issue(*hosts)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"namespace": namespace, "name": name},
        "stringData": {"tls.crt": pair.chain_pem, "tls.key": pair.key_pem},
    }


@pytest.mark.parametrize("name", NAMES)
def test_manifest(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    options = prepare(name, tmp_path / "in")
    out = tmp_path / "out"
    status = main(["migrate", str(tmp_path / "in"), *options, "--output-dir", str(out)])
    text = capsys.readouterr().out.replace(str(out), "OUT")
    assert main(["migrate", str(tmp_path / "in"), *options, "-o", "json"]) == status
    report = json.loads(capsys.readouterr().out)
    actual = {
        "report.txt": text,
        "report.json": msgspec.json.format(json.dumps(report, ensure_ascii=False), indent=1) + "\n",
        "objects.yaml": "".join(f"# {path.name}\n{path.read_text()}" for path in sorted(out.glob("*.yaml"))),
    }
    for kind, content in actual.items():
        if request.config.getoption("--regenerate-reports", default=False):
            (FOLDER / f"{name}.{kind}").write_text(content)
        assert content == (FOLDER / f"{name}.{kind}").read_text()
    assert status == (0 if report["isClean"] else 1)
    check(out, capsys)


@pytest.mark.parametrize("name", NAMES)
def test_with_secrets(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written, keys and all, is a folder that the entry takes without a complaint about a certificate."""
    options = prepare(name, tmp_path / "in")
    out = tmp_path / "out"
    main(["migrate", str(tmp_path / "in"), *options, "--output-dir", str(out), "--with-secrets"])
    said = capsys.readouterr()
    assert "PRIVATE KEY" not in said.out + said.err
    secrets = out / SECRETS_FILE
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in out.iterdir() if "tls.key:" in path.read_text()] == [SECRETS_FILE]
    lines = check(out, capsys)
    assert not [line for line in lines if "Certificate" in line and "Exp" not in line], lines


def check(out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Whatever was written passes `entryproxy check`, if there was anything to write."""
    status = main(["check", str(out)])
    lines = capsys.readouterr().out.splitlines()
    assert status == 0, lines
    return lines


def test_every_output_has_a_manifest() -> None:
    assert len(NAMES) >= 20
    outputs = {path.name.partition(".")[0] for path in FOLDER.iterdir()}
    assert sorted(outputs) == NAMES
    assert len(list(FOLDER.iterdir())) == 4 * len(NAMES)


def test_manifests_show_most_annotations() -> None:
    """Prose in the tables is only as good as the reports in which people read it."""
    used = set()
    for name in NAMES:
        for document in yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()):
            used |= {key for key in document["metadata"].get("annotations", {}) if key.startswith(PREFIX)}
    assert len(used) > 80
