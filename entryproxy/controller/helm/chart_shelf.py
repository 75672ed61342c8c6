"""Packed charts in a folder of our own, named by their contents, and which of them a fetched chart is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES_MAX = 64
"""Files of each kind; the oldest go. A release needs only the one that it is upgraded to."""


class Shelf:
    """folder: made with 0700; one process at a time uses it. Every method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._packages = folder / "packages"
        self._fetched = folder / "fetched"
        self._work = folder / "work"
        shutil.rmtree(self._work, ignore_errors=True)  # of somebody who was killed
        for private in (folder, self._packages, self._fetched, self._work):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            private.chmod(0o700)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty folder for as long as something is packed or fetched."""
        with tempfile.TemporaryDirectory(dir=self._work) as folder:
            yield Path(folder)

    def put(self, digest: str, data: bytes, in_use: Collection[str]) -> Path:
        """Keep a packed chart, also over one of the same contents, which may have been damaged. in_use: digests of
        those that must stay."""
        place = self._package(digest)
        self._write(place, data)
        _prune(self._packages, {digest, *in_use})
        return place

    def remember(self, reference: tuple[str, ...], digest: str) -> None:
        """A reference that was fetched is this chart from now on, also for whoever uses the folder next."""
        self._write(self._record(reference), json.dumps({"reference": reference, "digest": digest}).encode())
        _prune(self._fetched, ())

    def recall(self, reference: tuple[str, ...]) -> tuple[str, bytes] | None:
        """Digest and packed chart that a reference was when it was fetched. Whether they still belong together is the
        caller's to check."""
        try:
            record = json.loads(self._record(reference).read_bytes())
            digest = str(record["digest"])
            return digest, self._package(digest).read_bytes()
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _package(self, digest: str) -> Path:
        return self._packages / f"{digest}.tgz"

    def _record(self, reference: tuple[str, ...]) -> Path:
        return self._fetched / f"{hashlib.sha256(json.dumps(reference).encode()).hexdigest()}.json"

    def _write(self, place: Path, data: bytes) -> None:
        """Whole or not at all, and for us alone: mkstemp makes 0600."""
        descriptor, partial = tempfile.mkstemp(dir=self._work)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(partial).replace(place)


def _prune(folder: Path, kept: Collection[str]) -> None:
    removable = [one for one in folder.iterdir() if one.stem not in kept]
    surplus = len(removable) + len(kept) - PACKAGES_MAX
    if surplus > 0:
        for one in sorted(removable, key=lambda file: file.stat().st_mtime)[:surplus]:
            one.unlink(missing_ok=True)
