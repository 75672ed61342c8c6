"""Pure: a chart's files → its name and version, the defaults of its values, the custom resources that it defines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from entryproxy.controller.helm.chart import ChartError, is_name
from entryproxy.provision.merging import merge
from entryproxy.provision.values import CORE

TEXT_CHARACTERS_MAX = 1_048_576
"""Of one YAML document: the API server takes no larger object."""
SUBCHARTS_DEPTH_MAX = 5

_MANIFESTS = (".yaml", ".yml", ".json")
_DEFINITIONS_API = "apiextensions.k8s.io/v1"
_MAY_DEFINE = re.compile(rf"\b{re.escape(_DEFINITIONS_API)}\b")


class YamlReader(msgspec.Struct, frozen=True):
    """How YAML is read. parse: the one document of a text, of at most so many characters, as plain data; split: a
    stream's documents as text, each with the number of lines before it. Both raise ValueError."""

    parse: Callable[[str, int], object]
    split: Callable[[str], list[tuple[int, str]]]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """As in `ChartPackage`."""

    name: str
    version: str
    is_umbrella: bool
    values: dict[str, Any]
    definitions: tuple[dict[str, Any], ...]


class _Dependency(msgspec.Struct):
    name: str
    alias: str | None = None

    @property
    def key(self) -> str:
        """Where its values are."""
        return self.alias or self.name


class _Metadata(msgspec.Struct):
    name: str
    version: str
    dependencies: list[_Dependency] | None = None


def read_contents(files: Mapping[str, bytes], reader: YamlReader) -> Contents:
    """Raises ChartError for what Helm couldn't use, and for YAML that isn't strict."""
    chart = _Chart(files, reader)
    return Contents(
        name=chart.metadata.name,
        version=chart.metadata.version,
        is_umbrella=CORE in chart.subcharts or any(one.key == CORE for one in chart.metadata.dependencies or ()),
        values=chart.all_values(),
        definitions=tuple({one["metadata"]["name"]: one for one in chart.definitions()}.values()),
    )


class _Chart:
    """A chart or a subchart. files: by their names below its folder; folder: of the subchart, for messages."""

    def __init__(self, files: Mapping[str, bytes], reader: YamlReader, folder: str = "", depth: int = 0) -> None:
        if depth > SUBCHARTS_DEPTH_MAX:
            raise ChartError(f"{folder} is a subchart more than {SUBCHARTS_DEPTH_MAX} levels down")
        self._files, self._reader, self._folder = files, reader, folder
        self.metadata = self._read_metadata()
        self.values = self._mapping("values.yaml")
        self.subcharts: dict[str, _Chart] = {}
        for place, below in sorted(_subfolders(files, folder).items()):
            subchart = _Chart(below, reader, f"{folder}charts/{place}/", depth + 1)
            for key in self._keys_of(subchart.metadata.name):
                self.subcharts[key] = subchart

    def all_values(self) -> dict[str, Any]:
        """The chart's own win over those of a subchart. {} stands for a subchart that isn't here."""
        values: dict[str, Any] = {one.key: {} for one in self.metadata.dependencies or ()}
        for key, subchart in self.subcharts.items():
            values[key] = subchart.all_values()
        return merge(values, self.values)

    def definitions(self) -> Iterator[dict[str, Any]]:
        """Subcharts' first, so that of two with one name the chart's own stays."""
        for subchart in self.subcharts.values():
            yield from subchart.definitions()
        for name in sorted(self._files):
            if name.startswith("crds/") and name.lower().endswith(_MANIFESTS):
                yield from self._definitions_in(name)

    def _definitions_in(self, name: str) -> Iterator[dict[str, Any]]:
        for lines, text in self._reader.split(self._text(name)):
            if not _MAY_DEFINE.search(text):  # another kind, or an old version that no cluster takes any more
                continue
            document = self._parse(name, text, lines)
            if not isinstance(document, dict) or document.get("kind") != "CustomResourceDefinition":
                continue
            metadata = document.get("metadata")
            if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
                raise ChartError(f"{self._folder}{name} has a CustomResourceDefinition without a name")
            if document.get("apiVersion") == _DEFINITIONS_API:
                yield document

    def _read_metadata(self) -> _Metadata:
        if "Chart.yaml" not in self._files:
            raise ChartError(f"it is not a chart: there is no {self._folder}Chart.yaml")
        try:
            metadata = msgspec.convert(self._mapping("Chart.yaml"), _Metadata)
        except msgspec.ValidationError as error:
            raise ChartError(f"{self._folder}Chart.yaml: {error}") from None
        if not is_name(metadata.name):
            raise ChartError(f"{self._folder}Chart.yaml: {metadata.name[:100]!r} is not a chart's name")
        return metadata

    def _keys_of(self, name: str) -> set[str]:
        """One subchart may stand for several dependencies, with aliases."""
        return {one.key for one in self.metadata.dependencies or () if one.name == name} or {name}

    def _mapping(self, name: str) -> dict[str, Any]:
        value = self._parse(name, self._text(name)) if name in self._files else None
        if value is not None and not isinstance(value, dict):
            raise ChartError(f"{self._folder}{name} is not a mapping")
        return value or {}

    def _text(self, name: str) -> str:
        try:
            return self._files[name].decode()
        except UnicodeDecodeError:
            raise ChartError(f"{self._folder}{name} is not UTF-8") from None

    def _parse(self, name: str, text: str, lines: int = 0) -> object:
        try:
            return self._reader.parse(text, TEXT_CHARACTERS_MAX)
        except ValueError as error:
            where = f" (the document after line {lines})" if lines else ""
            raise ChartError(f"{self._folder}{name}{where}: {error}") from None


def _subfolders(files: Mapping[str, bytes], folder: str) -> dict[str, dict[str, bytes]]:
    """The files of each subchart, as Helm finds them: not below names that begin with "." or "_"."""
    found: dict[str, dict[str, bytes]] = {}
    for name, data in files.items():
        top, *rest = PurePosixPath(name).parts
        if top != "charts" or not rest or rest[0].startswith((".", "_")):
            continue
        if len(rest) > 1:
            found.setdefault(rest[0], {})["/".join(rest[1:])] = data
        elif rest[0].endswith(".tgz"):
            raise ChartError(f"{folder}{name} is packed inside the chart: `helm package` unpacks it")
    return found
