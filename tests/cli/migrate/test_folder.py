from __future__ import annotations

from pathlib import Path

import pytest

from entryproxy.cli.migrate import folder
from entryproxy.cli.migrate.folder import read_folder
from entryproxy.cli.output import CommandError
from tests.cli.migrate.test_command import ingress, secret
from tests.config.objects import together


def test_files_of_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(ingress("b.com", "b"))
    listed = "kind: List\napiVersion: v1\nitems:\n" + "".join(
        f"  {'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(ingress("a.com", "a").splitlines())
    )
    (tmp_path / "a.yaml").write_text(together(listed, secret("a.com")))
    (tmp_path / ".hidden.yaml").write_text(ingress("c.com"))
    (tmp_path / "readme.md").write_text(ingress("d.com"))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "e.yaml").write_text(ingress("e.com"))
    inventory = read_folder(tmp_path, with_keys=False)
    assert [(one.name, one.origin) for one in inventory.ingresses.values()] == [("a", "a.yaml"), ("b", "b.yml")]
    assert not inventory.findings
    assert [one.key_pem for one in inventory.secrets.values()] == [None]
    assert [one.key_pem is None for one in read_folder(tmp_path, with_keys=True).secrets.values()] == [False]


def test_what_cannot_be_read_is_said_and_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(together("{a: {{ .Values.x }} }\n", ingress("a.com")))
    (tmp_path / "b.yaml").write_text("a: &anchor {}\nb: *anchor\n")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "d.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "e.yaml").write_text("#" * 5_000)
    monkeypatch.setattr(folder, "FILE_BYTES_MAX", 2_000)
    inventory = read_folder(tmp_path, with_keys=False)
    assert [one.name for one in inventory.ingresses.values()] == ["web"]
    assert [(one.origin, one.message) for one in inventory.findings] == [
        ("a.yaml:1", "a key that is not a string"),
        ("b.yaml:1", "anchors are not allowed"),
        ("c.yaml", "Not UTF-8"),
        ("d.yaml", "No such file or directory"),
        ("e.yaml", "Larger than 2000 bytes"),
    ]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a folder"):
        read_folder(tmp_path / "missing", with_keys=False)
