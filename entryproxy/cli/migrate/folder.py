"""Ingresses and what belongs to them from a folder of YAML."""

from __future__ import annotations

from pathlib import Path

from entryproxy.cli.output import CommandError
from entryproxy.config.files import FILE_BYTES_MAX
from entryproxy.config.manifests import objects_in, split_documents
from entryproxy.config.yaml import YamlError, parse_yaml
from entryproxy.migrate.decode import add_object
from entryproxy.migrate.inventory import Inventory
from entryproxy.model.finding import Finding

_SUFFIXES = (".yaml", ".yml")


def read_folder(folder: Path, *, with_keys: bool) -> Inventory:
    """What the files in the folder itself hold; raises CommandError when it is no folder."""
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder", status=2)
    inventory = Inventory()
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and not path.name.startswith("."):
            _read_file(inventory, path, with_keys)
    return inventory


def _read_file(inventory: Inventory, path: Path, with_keys: bool) -> None:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8-sig")
    except OSError as problem:
        inventory.findings.append(_unreadable(path, "", problem.strerror or "Unreadable"))
        return
    except UnicodeDecodeError:
        inventory.findings.append(_unreadable(path, "", "Not UTF-8"))
        return
    if len(content) > FILE_BYTES_MAX:
        inventory.findings.append(_unreadable(path, "", f"Larger than {FILE_BYTES_MAX} bytes"))
        return
    for lines, document in split_documents(text):
        try:
            value = parse_yaml(document, characters_max=FILE_BYTES_MAX)
        except YamlError as problem:
            inventory.findings.append(_unreadable(path, f":{lines + problem.line}", problem.message))
            continue
        for one in objects_in(value):
            add_object(inventory, one, path.name, with_keys=with_keys)


def _unreadable(path: Path, line: str, message: str) -> Finding:
    return Finding(
        severity="error",
        reason="UnreadableFile",
        object=f"File {path.name}",
        field="",
        message=message,
        origin=f"{path.name}{line}",
    )
