"""One file of the folder source: read again only when it changed, its last good objects kept while it can't be read."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from entryproxy.config.manifests import ManifestError, objects_in, read_object, split_documents
from entryproxy.config.yaml import YamlError, parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject

FILE_BYTES_MAX = 67_108_864

Signature = tuple[int, int, int]
"""Modification time in nanoseconds, size, inode: what changes when a file does."""
_SETTLED_NANOSECONDS = 100_000_000
_YOUNG_NANOSECONDS = 8_000_000
_EMPTY_NANOSECONDS = 1_000_000_000

Stamp = Callable[[LabelledObject], LabelledObject]


class ManifestFile:
    """objects: what the file holds now. kept: last good versions of what can't be read in it now.

    is_young: somebody seems to be writing it in place, so it was left as it is; refresh again in a moment.
    """

    def __init__(self, path: Path, namespace: str, stamp: Stamp) -> None:
        """namespace: for objects that name none. stamp: gives an object without creationTimestamp its time."""
        self.path = path
        self.objects: list[LabelledObject] = []
        self.kept: list[LabelledObject] = []
        self.is_young = False
        self.findings: list[Finding] = []
        self._namespace = namespace
        self._stamp = stamp
        self._signature: Signature | None = None
        self._inode = 0
        # By digest, so that the text of other people's Secrets in the same file doesn't stay in memory.
        self._documents: dict[bytes, list[LabelledObject]] = {}

    def forget_signature(self) -> None:
        """Read the file at the next refresh whatever its signature says."""
        self._signature = None

    def refresh(self, signature: Signature | None) -> bool:
        """Read the file unless it has the signature it had; whether anything is different.

        signature: from before this call, None when it couldn't be told. Raises FileNotFoundError when the file is gone.
        """
        if signature is not None and signature == self._signature:
            self.is_young = False
            return False
        self.is_young = self._is_being_written(signature)
        if self.is_young:
            return False
        before = (self.objects, self.kept, self.findings)
        try:
            self._read(self._text())
        except UnicodeDecodeError:
            self._keep("Not UTF-8")
        except OSError as problem:
            if isinstance(problem, FileNotFoundError) and not self.path.is_symlink():
                raise
            self._keep(problem.strerror or "Unreadable")
        else:
            # A second write within the clock's tick would leave the same signature, so a young one isn't trusted.
            is_settled = signature is not None and time.time_ns() - signature[0] > _SETTLED_NANOSECONDS
            self._signature = signature if is_settled else None
        return before != (self.objects, self.kept, self.findings)

    def _is_being_written(self, signature: Signature | None) -> bool:
        """Whether the same file changed just now or lately became empty: its objects are rather to come than gone.

        A file that was put in the place of another (rename) is whole, and so is one that is read for the first time.
        """
        if signature is None or not (self.objects or self.kept):
            self._inode = signature[2] if signature else 0
            return False
        modified, size, inode = signature
        is_same, self._inode = inode == self._inode, inode
        age = time.time_ns() - modified
        return is_same and 0 <= age < (_YOUNG_NANOSECONDS if size else _EMPTY_NANOSECONDS)

    def _text(self) -> str:
        with self.path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise OSError(errno.EFBIG, f"Larger than {FILE_BYTES_MAX} bytes")
        return content.decode("utf-8-sig")

    def _keep(self, problem: str) -> None:
        """The file as a whole is unreadable: everything in it stays as it was."""
        self.kept, self.objects = self.kept + self.objects, []
        self.findings = [self._finding("UnreadableFile", f"File {self.path.name}", "", problem, 0)]
        self._signature = None

    def _read(self, text: str) -> None:
        before = {one.reference: one for one in self.kept + self.objects}
        objects: list[LabelledObject] = []
        broken: set[str] = set()
        findings: list[Finding] = []
        documents: dict[bytes, list[LabelledObject]] = {}
        for lines, document in split_documents(text):
            digest = hashlib.sha256(document.encode()).digest()
            found = self._documents.get(digest)
            if found is None:
                found, problems, unread = self._decode(document, lines)
                findings += problems
                broken |= unread
                if problems:
                    objects += found
                    continue
            documents[digest] = found
            objects += found
        present = {one.reference for one in objects}
        # A document that is no YAML could be any of the file's objects, so all of them that are missing stay.
        missing = [reference for reference in before if reference not in present]
        self.kept = [before[one] for one in missing if one in broken or "" in broken]
        self.objects, self.findings, self._documents = objects, findings, documents

    def _decode(self, document: str, lines: int) -> tuple[list[LabelledObject], list[Finding], set[str]]:
        """Objects, problems, and the references of the objects that have them ("" for one that can't be told)."""
        try:
            value = parse_yaml(document, characters_max=FILE_BYTES_MAX)
        except YamlError as problem:
            about = f"File {self.path.name}"
            return [], [self._finding("InvalidYaml", about, "", problem.message, lines + problem.line)], {""}
        objects, findings, broken = [], [], set()
        for one in objects_in(value):
            try:
                labelled = read_object(one, self._namespace, self.path.name)
            except ManifestError as problem:
                broken.add(problem.reference)
                findings.append(
                    self._finding("InvalidObject", problem.reference, problem.field, problem.message, 0, problem.tenant)
                )
                continue
            if labelled is not None:
                objects.append(self._stamp(labelled))
        return objects, findings, broken

    def _finding(self, reason: str, about: str, field: str, message: str, line: int, tenant: str = "") -> Finding:
        return Finding(
            severity="error",
            reason=reason,
            object=about,
            field=field,
            message=f"{message}; what was good before, if anything, stays in force",
            tenant=tenant,
            origin=f"{self.path.name}:{line}" if line else self.path.name,
        )
