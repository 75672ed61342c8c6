"""Charts by what a tenant's document calls them: found beside us or fetched once, checked, and kept packed."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from entryproxy.controller.helm.chart import ChartError, ChartPackage, is_name, is_same_version
from entryproxy.controller.helm.chart_archive import ARCHIVE_BYTES_MAX, contents_digest, unpack
from entryproxy.controller.helm.chart_contents import YamlReader, read_contents
from entryproxy.controller.helm.chart_folder import Stamp, find_chart, stamp_of
from entryproxy.controller.helm.chart_repository import INDEX_CHARACTERS_MAX, index_digest, public_url
from entryproxy.controller.helm.chart_shelf import Shelf
from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.helm.outcome import HelmError, clean
from entryproxy.model.release import check_chart, check_version

__all__ = ["ChartError", "ChartPackage", "ChartStore", "YamlReader"]

PACKAGES_MAX = 8
"""In memory; a platform has one or two versions at a time."""
FAILURE_SECONDS = 30
"""How long a failure answers whoever asks for the same chart: many tenants do."""
FAILURES_MAX = 256

_FETCHED: Stamp = frozenset()
_FINAL = frozenset({"not_found", "rejected", "unsupported"})
"""Kinds of Helm's errors that fetching again doesn't mend."""
_PASSING = frozenset({"timed_out", "killed"})
"""Those that packing again may mend; all others say what is wrong with the folder."""

_log = logging.getLogger(__name__)

_Wanted = tuple[str, str]
"""Chart and version as written."""


class _Held(msgspec.Struct, frozen=True):
    """stamp: of the folder or file beside us that it was packed from, _FETCHED for what came from elsewhere."""

    package: ChartPackage
    stamp: Stamp


class _Failure(msgspec.Struct, frozen=True):
    message: str
    is_transient: bool
    until: float


class ChartStore:
    """folder: private to us and made; what was fetched stays there, so that a restart needs no repository.

    repository: URL of an HTTP repository for plain names, "" for none; it may hold a user and a password. charts_dir:
    what lies there comes first, and is the only place that paths lead to. plain_http: registries are spoken to without
    TLS. clock: seconds that only grow.
    """

    def __init__(
        self,
        helm: Helm,
        folder: Path,
        *,
        yaml: YamlReader,
        repository: str = "",
        charts_dir: Path | None = None,
        plain_http: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._helm = helm
        self._shelf = Shelf(folder)
        self._yaml = yaml
        self._repository = repository
        self._charts_dir = charts_dir
        self._plain_http = plain_http
        self._clock = clock
        self._held: OrderedDict[_Wanted, _Held] = OrderedDict()
        self._in_use: frozenset[str] = frozenset()  # their digests, replaced as a whole: threads read it
        self._failures: dict[_Wanted, _Failure] = {}
        self._locks: WeakValueDictionary[_Wanted, asyncio.Lock] = WeakValueDictionary()
        self._repository_lock = asyncio.Lock()  # an index stays as it is until the chart that it names is here

    async def get(self, chart: str, version: str) -> ChartPackage:
        """The chart, of exactly this version (a "v" in front aside). Raises ChartError.

        chart: a name, an oci:// reference, or a path below charts_dir. Whoever asks for what is being fetched waits.
        """
        wanted = chart, version
        lock = self._locks.setdefault(wanted, asyncio.Lock())
        async with lock:
            failure = self._failures.get(wanted)
            if failure is not None and self._clock() < failure.until:
                raise ChartError(failure.message, is_transient=failure.is_transient)
            try:
                held = await self._find(wanted)
            except ChartError as error:
                self._note_failure(wanted, error)
                raise
            self._failures.pop(wanted, None)
            self._hold(wanted, held)
            return held.package

    async def _find(self, wanted: _Wanted) -> _Held:
        chart, version = wanted
        try:
            check_chart(chart)
            check_version(version)
            place = await asyncio.to_thread(find_chart, self._charts_dir, chart, version)
            stamp = _FETCHED if place is None else await asyncio.to_thread(stamp_of, place)
            held = self._held.get(wanted)
            if held is not None and held.stamp == stamp:
                return held
            return _Held(await (self._fetched(wanted) if place is None else self._packed(wanted, place)), stamp)
        except ChartError as error:
            message = clean(f"chart {chart} {version}: {error.message}")
            raise ChartError(message, is_transient=error.is_transient) from None
        except ValueError as error:
            raise ChartError(clean(str(error))) from None
        except OSError as error:
            message = clean(f"chart {chart} {version}: it can't be read or kept: {error.strerror}")
            raise ChartError(message, is_transient=True) from None

    # -- beside us

    async def _packed(self, wanted: _Wanted, place: Path) -> ChartPackage:
        if await asyncio.to_thread(place.is_file):
            return await self._kept(wanted, await asyncio.to_thread(_read, place))
        with self._shelf.workspace() as folder:
            try:
                packed = await self._helm.package(place, folder)
            except HelmError as error:
                raise ChartError(error.message, is_transient=error.kind in _PASSING) from None
            return await self._kept(wanted, await asyncio.to_thread(_read, packed))

    # -- elsewhere

    async def _fetched(self, wanted: _Wanted) -> ChartPackage:
        chart, version = wanted
        is_from_repository = is_name(chart)
        if is_from_repository and not self._repository:
            raise ChartError(_nowhere(self._charts_dir))
        reference = (public_url(self._repository) if is_from_repository else "", chart, version)
        package = await asyncio.to_thread(self._recall, wanted, reference)
        if package is None:
            try:
                data = await (self._pull_named(wanted) if is_from_repository else self._pull(wanted))
            except HelmError as error:
                raise ChartError(error.message, is_transient=error.kind not in _FINAL) from None
            package = await self._kept(wanted, data)
            await asyncio.to_thread(self._shelf.remember, reference, package.digest)
        return package

    async def _pull_named(self, wanted: _Wanted) -> bytes:
        """From the HTTP repository; that the file is the one of the index is ours to check."""
        async with self._repository_lock:
            index = await self._helm.update_repository(self._repository)
            digest = await asyncio.to_thread(self._digest_in, index, wanted)
            data = await self._pull(wanted)
        if not digest:
            _log.warning("chart %s %s: the repository's index has no digest, so the file is unverified", *wanted)
        elif hashlib.sha256(data).hexdigest() != digest:
            raise ChartError("the file is not the one of the repository's index: their SHA-256 digests differ")
        return data

    async def _pull(self, wanted: _Wanted) -> bytes:
        with self._shelf.workspace() as folder:
            packed = await self._helm.pull(*wanted, folder, plain_http=self._plain_http)
            return await asyncio.to_thread(_read, packed)

    def _digest_in(self, index: Path, wanted: _Wanted) -> str:
        try:
            with index.open(encoding="utf-8") as file:
                document = self._yaml.parse(file.read(INDEX_CHARACTERS_MAX + 1), INDEX_CHARACTERS_MAX)
        except ValueError as error:
            raise ChartError(f"the repository's index: {error}") from None
        return index_digest(document, *wanted)

    # -- kept

    async def _kept(self, wanted: _Wanted, data: bytes) -> ChartPackage:
        return await asyncio.to_thread(self._keep, wanted, data)

    def _recall(self, wanted: _Wanted, reference: tuple[str, ...]) -> ChartPackage | None:
        """What was fetched once and still is what it was."""
        found = self._shelf.recall(reference)
        if found is None:
            return None
        digest, data = found
        try:
            package = self._keep(wanted, data)
        except ChartError:
            return None
        return package if package.digest == digest else None

    def _keep(self, wanted: _Wanted, data: bytes) -> ChartPackage:
        chart, version = wanted
        files = unpack(data)
        contents = read_contents(files, self._yaml)
        if not is_same_version(contents.version, version):
            raise ChartError(f"its Chart.yaml says version {contents.version}, not {version}")
        if is_name(chart) and contents.name != chart:
            raise ChartError(f"its Chart.yaml says that it is {contents.name}")
        digest = contents_digest(files)
        return ChartPackage(
            name=contents.name,
            version=contents.version,
            path=str(self._shelf.put(digest, data, self._in_use)),
            digest=digest,
            is_umbrella=contents.is_umbrella,
            values=contents.values,
            definitions=contents.definitions,
        )

    def _hold(self, wanted: _Wanted, held: _Held) -> None:
        self._held[wanted] = held
        self._held.move_to_end(wanted)
        while len(self._held) > PACKAGES_MAX:
            self._held.popitem(last=False)
        self._in_use = frozenset(one.package.digest for one in self._held.values())

    def _note_failure(self, wanted: _Wanted, error: ChartError) -> None:
        now = self._clock()
        self._failures = {key: one for key, one in self._failures.items() if now < one.until}
        if len(self._failures) < FAILURES_MAX:
            self._failures[wanted] = _Failure(error.message, error.is_transient, now + FAILURE_SECONDS)


def _nowhere(charts_dir: Path | None) -> str:
    """In the words of whoever starts the controller: no tenant's document can mend it."""
    if charts_dir is None:
        return "there is neither a --charts-dir nor a --chart-repository to take it from"
    return f"it is not in --charts-dir {charts_dir}, and there is no --chart-repository"


def _read(file: Path) -> bytes:
    """One byte more than is allowed tells that it is too large."""
    with file.open("rb") as stream:
        return stream.read(ARCHIVE_BYTES_MAX + 1)
