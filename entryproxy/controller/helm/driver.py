"""Helm as the rest of the controller sees it: an operation either gives its result or raises HelmError."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from entryproxy.controller.helm import command
from entryproxy.controller.helm.chart_repository import public_url, repositories_file
from entryproxy.controller.helm.outcome import HelmError, clean, failure, unrecorded
from entryproxy.controller.helm.process import GRACE_SECONDS, OUTPUT_BYTES_MAX, Completed, run
from entryproxy.provision.state import HELM_STATUSES, DesiredRelease

SUPPORTED = "4.2."
"""Flags, words of errors and the recovery of broken releases were seen with this series of Helm."""
_FETCH_SECONDS_MAX = 30
_QUICK_SECONDS_MAX = 30
"""For what asks no API server."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """operation_seconds: until a child is told to end; then grace_seconds until it is killed. A lease must last longer
    than both together. parallel_max: children at a time, of some 80 MB each."""

    operation_seconds: int = 120
    grace_seconds: float = GRACE_SECONDS
    output_bytes_max: int = OUTPUT_BYTES_MAX
    parallel_max: int = 4


class _Info(msgspec.Struct):
    status: HELM_STATUSES


class Released(msgspec.Struct):
    """What an upgrade answers, as far as we ask. version: the number of the revision."""

    version: int
    info: _Info

    @property
    def status(self) -> HELM_STATUSES:
        return self.info.status


class Helm:
    """One Helm program and its private folder. Only the leader may change a release; one operation per release at
    a time is the caller's promise.

    binary: an absolute path; folder: made with 0700, caches and values' files live there; path: PATH of the children.
    """

    def __init__(
        self, binary: Path, folder: Path, kubeconfig: Path, *, limits: Limits | None = None, path: str = os.defpath
    ) -> None:
        self._binary = binary
        self._limits = limits or Limits()
        self._slots = asyncio.Semaphore(self._limits.parallel_max)
        self._version: str | None = None
        self._values = folder / "values"
        self._env = command.environment(folder, kubeconfig, path)
        for private in (folder, self._values, folder / "tmp"):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            private.chmod(0o700)
        for leftover in self._values.iterdir():  # of somebody who was killed
            leftover.unlink()

    async def version(self) -> str:
        """Such as "4.2.4". Raises HelmError("unsupported") for a Helm of another series, and for what is none; every
        operation asks once."""
        if self._version is None:
            said = await self._complete(command.version(), _QUICK_SECONDS_MAX)
            if said.returncode != 0:
                reason = failure(said.stderr.decode(errors="replace")).message
                raise HelmError("unsupported", clean(f"{self._binary} can't be used as Helm: {reason}"))
            version = said.stdout.decode(errors="replace").strip().removeprefix("v")
            if not version.startswith(SUPPORTED):
                raise HelmError("unsupported", f"Helm {SUPPORTED}x is needed, this one is {clean(version)[:40]!r}")
            self._version = version
        return self._version

    async def upgrade(self, release: DesiredRelease) -> Released:
        """Install or upgrade, without waiting for the objects to become ready."""
        seconds = self._limits.operation_seconds
        with self._values_file(release.values) as file, self._refusal_file() as refusal:
            done = await self._operate(command.upgrade(release, file, refusal, timeout_seconds=seconds))
        if (error := unrecorded(done.stderr.decode(errors="replace"))) is not None:
            raise error
        try:
            return msgspec.json.decode(done.stdout, type=Released)
        except msgspec.MsgspecError:
            raise HelmError("unknown", "Helm upgraded the release, but its answer can't be read") from None

    async def rollback(self, name: str, namespace: str, revision: int) -> None:
        """To the objects and values of `revision`, as a new revision that also has the digest of the old one."""
        seconds = self._limits.operation_seconds
        await self._operate(command.rollback(name, namespace, revision, timeout_seconds=seconds))

    async def uninstall(self, name: str, namespace: str) -> None:
        """Delete the last revision's objects and the history, if there are any."""
        await self._operate(command.uninstall(name, namespace, timeout_seconds=self._limits.operation_seconds))

    async def package(self, chart_folder: Path, target_folder: Path) -> Path:
        """Pack a chart's folder into a file in `target_folder`, which is there and empty.

        Times of files are part of it: a copy of the folder has another digest.
        """
        await self._operate(command.package(chart_folder, target_folder), _QUICK_SECONDS_MAX)
        return _packed_in(target_folder)

    async def update_repository(self, url: str) -> Path:
        """Fetch the index of an HTTP repository, from which `pull` then takes names; the index's file. The URL may hold
        a user and a password: only a private file gets to see them."""
        await self.version()
        configuration = Path(self._env["HELM_REPOSITORY_CONFIG"])
        configuration.parent.mkdir(mode=0o700, exist_ok=True)
        with self._private_file(repositories_file(command.REPOSITORY, url), ".yaml") as file:
            file.rename(configuration)
        done = await self._complete(command.update_repository(), self._fetch_seconds)
        if done.returncode != 0:
            told = done.stdout.decode(errors="replace").partition("\n\t")[2].partition("\n")[0]
            # Of a URL that it doesn't take, Helm says nothing there.
            reason = clean(told) or failure(done.stderr.decode(errors="replace")).message
            raise HelmError("unreachable", f"the repository {public_url(url)} can't be read: {reason}")
        return Path(self._env["HELM_REPOSITORY_CACHE"]) / f"{command.REPOSITORY}-index.yaml"

    async def pull(self, chart: str, version: str, target_folder: Path, *, plain_http: bool = False) -> Path:
        """Fetch a packed chart into `target_folder`, which is there and empty. Of an HTTP repository neither the file's
        digest nor its name and version have been checked; plain_http is for registries."""
        await self._operate(command.pull(chart, version, target_folder, plain_http=plain_http), self._fetch_seconds)
        return _packed_in(target_folder)

    @property
    def _fetch_seconds(self) -> float:
        """Whoever waits for a chart keeps others from being looked at."""
        return min(self._limits.operation_seconds, _FETCH_SECONDS_MAX)

    async def _operate(self, arguments: Sequence[str], seconds: float | None = None) -> Completed:
        await self.version()
        return await self._run(arguments, seconds or self._limits.operation_seconds)

    async def _run(self, arguments: Sequence[str], seconds: float) -> Completed:
        done = await self._complete(arguments, seconds)
        if done.returncode > 0:
            raise failure(done.stderr.decode(errors="replace"))
        return done

    async def _complete(self, arguments: Sequence[str], seconds: float) -> Completed:
        """Ended by itself, whatever its status."""
        async with self._slots:
            try:
                done = await run(
                    [str(self._binary), *arguments],
                    self._env,
                    deadline_seconds=seconds,
                    grace_seconds=self._limits.grace_seconds,
                    output_bytes_max=self._limits.output_bytes_max,
                )
            except OSError as error:
                raise HelmError("unknown", f"Helm can't be started: {error.strerror}") from error
        if done.is_timed_out:
            raise HelmError("timed_out", f"helm {arguments[0]} was ended after {seconds:g} s")
        if done.returncode < 0:
            raise HelmError("killed", f"helm {arguments[0]} was ended by signal {-done.returncode}")
        return done

    def _values_file(self, values: dict[str, Any]) -> AbstractContextManager[Path]:
        return self._private_file(json.dumps(values), ".json")

    @contextmanager
    def _refusal_file(self) -> Iterator[Path]:
        """For the reason of our post-renderer, of whose failure Helm only says that it failed."""
        with self._private_file("", ".refusal") as file:
            try:
                yield file
            except HelmError:
                if reason := file.read_text():
                    raise HelmError("rejected", clean(reason)) from None
                raise

    @contextmanager
    def _private_file(self, text: str, suffix: str) -> Iterator[Path]:
        """A file that only we can read (0600), for as long as the operation lasts."""
        descriptor, name = tempfile.mkstemp(dir=self._values, suffix=suffix)
        file = Path(name)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text)
            yield file
        finally:
            file.unlink(missing_ok=True)


def _packed_in(folder: Path) -> Path:
    """The one packed chart of a folder."""
    found = list(folder.glob("*.tgz"))
    if len(found) != 1:
        raise HelmError("unknown", f"Helm left {len(found)} packed charts instead of one")
    return found[0]
