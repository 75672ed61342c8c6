from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from entryproxy.compiler.compile import Compiler
from entryproxy.config.folder import FolderSource
from entryproxy.config.yaml import parse_yaml
from entryproxy.demo.folder import DemoFolder, FolderError, new_tenant_object

GATEWAYS = {"tenant1": "127.0.0.1:1", "tenant2": "127.0.0.1:2", "tenant3": "127.0.0.1:3", "tenant4": "127.0.0.1:4"}


def documents(file: Path) -> list[dict[str, object]]:
    return list(yaml.safe_load_all(file.read_text()))


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.write(GATEWAYS)
    written = [folder.root, *folder.root.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in written if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in written if path.is_file()} == {0o600}


def test_the_watched_folder_holds_objects_only(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.write(GATEWAYS)
    assert sorted(file.name for file in folder.source.iterdir()) == [
        "system.yaml",
        "tenant1.yaml",
        "tenant2.yaml",
        "tenant3.yaml",
    ]
    kinds = {file.stem: [document["kind"] for document in documents(file)] for file in folder.source.iterdir()}
    assert kinds == {
        "system": ["ConfigMap", "Secret"],
        "tenant1": ["ConfigMap", "Secret"],
        "tenant2": ["ConfigMap", "Secret"],
        "tenant3": ["ConfigMap", "Secret", "Secret"],
    }
    assert "CERTIFICATE" in folder.ca.read_text()
    assert "PRIVATE KEY" not in folder.ca.read_text()
    assert [document["kind"] for document in documents(folder.certificate)] == ["Secret"]


def test_the_new_tenants_object() -> None:
    document = yaml.safe_load(new_tenant_object("127.0.0.1:4"))
    assert document["metadata"]["labels"] == {"entryproxy.higress.io/tenant": "tenant4"}
    assert yaml.safe_load(document["data"]["tenant.yaml"]) == {"gateway": {"addresses": ["127.0.0.1:4"]}}


def test_a_second_demo_starts_fresh_and_leaves_the_users_files(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.write(GATEWAYS)
    first_ca = folder.ca.read_text()
    folder.new_tenant.write_text("old gateway")
    (folder.source / folder.certificate.name).write_text("old certificate")
    (folder.source / "mine.yaml").write_text("mine")
    folder.write(GATEWAYS)
    assert folder.ca.read_text() != first_ca
    assert not folder.new_tenant.exists()
    assert not (folder.source / folder.certificate.name).exists()
    assert (folder.source / "mine.yaml").read_text() == "mine"


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(FolderError, match="--dir"):
        DemoFolder(tmp_path).write(GATEWAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="can't write"):
        DemoFolder(tmp_path / "file" / "demo").write(GATEWAYS)


def test_the_product_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.write(GATEWAYS)
    folder.new_tenant.write_text(new_tenant_object(GATEWAYS["tenant4"]))
    (folder.source / folder.certificate.name).write_bytes(folder.certificate.read_bytes())
    reading = FolderSource(folder.source).load()
    compilation = Compiler(parse_yaml).compile(reading, time.time())
    assert (reading.findings, compilation.findings) == ((), ())
    assert compilation.platform is not None
    assert sorted(compilation.tenants) == ["tenant1", "tenant2", "tenant3", "tenant4"]
