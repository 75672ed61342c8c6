"""The folder that a migration writes: always a new one, keys for nobody's eyes but the operator's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from entryproxy.cli.output import CommandError
from entryproxy.migrate.manifests import File

_PRIVATE_MODE = 0o600
_PUBLIC_MODE = 0o666  # less the umask


def check_folder(folder: Path) -> None:
    """Raises CommandError for a folder that holds something: what an earlier run left behind would be applied too."""
    try:
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as problem:
        raise CommandError(f"can't look into {folder}: {problem.strerror}", status=2) from None
    if is_taken:
        raise CommandError(f"{folder} holds something already: name a new folder with --output-dir", status=2)


def write_folder(folder: Path, files: Iterable[File]) -> None:
    """All files; raises CommandError. Private ones are so from their first byte on."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in files:
            mode = _PRIVATE_MODE if one.is_private else _PUBLIC_MODE
            descriptor = os.open(folder / one.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(one.text)
    except OSError as problem:
        raise CommandError(f"can't write {problem.filename or folder}: {problem.strerror}") from None
