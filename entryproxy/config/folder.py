"""The file source: a folder of Kubernetes objects as YAML, several per file allowed, watched for changes.

Writers should replace files in one step (write beside, rename), as most editors and projected volumes do. A file that
is written in place is left as it was until it rests for a moment; caught half-written all the same, it is reported and
read again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from entryproxy.config.files import ManifestFile, Signature
from entryproxy.config.manifests import canonical_time
from entryproxy.config.settle import Settle, settled
from entryproxy.config.watching import watch_folder
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Snapshot
from entryproxy.tasks import spawn

SETTLE_QUIET_SECONDS = 0.01
SETTLE_LONGEST_SECONDS = 0.05
YOUNG_RETRY_SECONDS = 0.01
_SUFFIXES = (".yaml", ".yml")
_UNTOLD_REASONS = ("UnreadableFolder", "UnreadableFile", "InvalidYaml")  # they don't say which objects can't be read


class FolderSource:
    """Labelled objects from `*.yaml` and `*.yml` of one folder, hidden files left alone.

    Objects without creationTimestamp get the time at which this source first saw them, so that a claim that comes later
    never takes a host from its owner; what is there at the first load shares one time.
    """

    def __init__(
        self, path: str | Path, *, namespace: str = "higress-system", clock: Callable[[], float] = time.time
    ) -> None:
        """namespace: for objects that name none. clock: Unix seconds."""
        self.path = Path(path)
        self._namespace = namespace
        self._clock = clock
        self._files: dict[str, ManifestFile] = {}
        self._first_seen: dict[str, str] = {}
        self._load_time = ""
        self._objects: dict[str, LabelledObject] = {}
        self._findings: tuple[Finding, ...] = ()
        self._changed = asyncio.Event()
        self._is_reload_requested = False

    def resume(self, running: Snapshot) -> None:
        """What has been in force makes no difference: a folder says what it is, and it says so at once."""

    def load(self) -> Reading:
        """What is different since the last call. Looks at every file, reads those that changed. While the folder itself
        can't be read everything stays as it was.
        """
        self._load_time = max(canonical_time(datetime.fromtimestamp(self._clock(), UTC)), self._load_time)
        if self._is_reload_requested:
            self._is_reload_requested = False
            for file in self._files.values():
                file.forget_signature()
        try:
            signatures = self._look()
        except OSError as problem:
            unreadable = self._folder_finding(problem)
            findings = (*self._findings, unreadable)
            return Reading(findings=findings, unread=unread_in(findings), error=str(unreadable))
        before = self._objects
        if self._refresh(signatures):
            self._merge()
        difference = Reading.between(before, self._objects)
        return msgspec.structs.replace(difference, findings=self._findings, unread=unread_in(self._findings))

    def preview(self, show: Callable[[Sequence[LabelledObject]], None]) -> None:
        """Nothing to show: files are read all at once."""

    def request_reload(self) -> None:
        """Read every file again, changed or not, and tick (SIGHUP). Call from the loop's thread."""
        self._is_reload_requested = True
        self._changed.set()

    async def watch(self) -> AsyncGenerator[float, None]:
        """A tick after every settled burst of changes, and one at the beginning for what nobody watched; the monotonic
        time at which the burst was noticed. Raises what watching raised, which is a fault of ours."""
        watcher = spawn(watch_folder(self.path, self._changed), f"watch {self.path}")
        watcher.add_done_callback(lambda _: self._changed.set())
        try:
            settle = Settle(SETTLE_QUIET_SECONDS, SETTLE_LONGEST_SECONDS)
            loop = asyncio.get_running_loop()
            async for seen_at in settled(self._changed, settle, time.monotonic):
                if watcher.done():
                    await watcher
                yield seen_at
                if any(file.is_young for file in self._files.values()):
                    loop.call_later(YOUNG_RETRY_SECONDS, self._changed.set)
        finally:
            watcher.cancel()

    def _look(self) -> dict[str, Signature | None]:
        """The files that count, and what tells whether they changed; links are followed."""
        signatures: dict[str, Signature | None] = {}
        with os.scandir(self.path) as entries:
            for one in entries:
                if one.name.endswith(_SUFFIXES) and not one.name.startswith("."):
                    try:
                        status = one.stat()
                    except OSError:
                        signatures[one.name] = None
                    else:
                        signatures[one.name] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return signatures

    def _refresh(self, signatures: Mapping[str, Signature | None]) -> bool:
        """Bring the files up to date; whether anything is different."""
        files: dict[str, ManifestFile] = {}
        is_changed = False
        for name in sorted(signatures):
            file = self._files.get(name) or ManifestFile(self.path / name, self._namespace, self._stamp)
            try:
                is_changed |= file.refresh(signatures[name])
            except FileNotFoundError:
                continue
            files[name] = file
        is_changed |= files.keys() != self._files.keys()
        self._files = files
        return is_changed

    def _merge(self) -> None:
        """One object per name: what is readable now before what is kept, then the first file in the alphabet."""
        merged: dict[str, LabelledObject] = {}
        findings: list[Finding] = []
        for file in self._files.values():
            findings += file.findings
            for one in file.objects:
                first = merged.setdefault(one.reference, one)
                if first is not one:
                    findings.append(_duplicate(one, first))
        for file in self._files.values():
            for one in file.kept:
                merged.setdefault(one.reference, one)
        self._first_seen = {key: seen for key, seen in self._first_seen.items() if key in merged}
        self._objects, self._findings = merged, tuple(findings)

    def _stamp(self, one: LabelledObject) -> LabelledObject:
        if one.created:
            return one
        return msgspec.structs.replace(one, created=self._first_seen.setdefault(one.reference, self._load_time))

    def _folder_finding(self, problem: OSError) -> Finding:
        return Finding(
            severity="error",
            reason="UnreadableFolder",
            object=f"Folder {self.path}",
            field="",
            message=f"{problem.strerror or 'unreadable'}; what was good before stays in force",
        )


def unread_in(findings: Iterable[Finding]) -> frozenset[str]:
    """References of the objects that could not be read, "" for those that can't even be told."""
    return frozenset(
        "" if finding.reason in _UNTOLD_REASONS or finding.object.endswith("/?") else finding.object
        for finding in findings
        if finding.reason != "DuplicateObject"
    )


def _duplicate(one: LabelledObject, first: LabelledObject) -> Finding:
    return Finding(
        severity="error",
        reason="DuplicateObject",
        object=one.reference,
        field="metadata.name",
        message=f"The same object is in {first.origin} already; this one is ignored",
        tenant=one.tenant,
        origin=one.origin,
    )
