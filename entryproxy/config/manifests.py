"""Kubernetes objects in YAML → labelled objects: only our label, only the two kinds, only the fields that matter."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import (
    STATUS_ANNOTATION,
    TENANT_LABEL,
    TLS_SECRET_TYPE,
    LabelledConfigMap,
    LabelledObject,
    LabelledSecret,
    ReleaseState,
    release_state,
)
from entryproxy.model.secret import PrivateBytes

_DOCUMENT_START = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


class ManifestError(ValueError):
    """An object with our label that can't be read. reference: "Kind namespace/name" as far as known; field: path
    inside."""

    def __init__(self, reference: str, field: str, message: str, tenant: str = "") -> None:
        super().__init__(message)
        self.reference = reference
        self.field = field
        self.message = message
        self.tenant = tenant


def split_documents(text: str) -> list[tuple[int, str]]:
    """The documents of a YAML stream as text, each with the number of lines before it.

    A line that begins with `---` can be nothing but a marker (YAML 1.2 §9.1.2), so that a broken document leaves the
    others readable. A stream that uses directives or end markers comes back whole.
    """
    if re.search(r"^(?:%|\.\.\.(?:[ \t\r\n]|\Z))", text, re.MULTILINE):
        return [(0, text)]
    starts = [match.start() for match in _DOCUMENT_START.finditer(text)]
    bounds = [0, *starts, len(text)]
    parts = [text[begin:end] for begin, end in itertools.pairwise(bounds)]
    documents, lines = [], 0
    for part in parts:
        if part.strip():
            documents.append((lines, part))
        lines += part.count("\n")
    return documents


def parse_documents(text: str) -> list[object]:
    """Every document of a YAML stream, see `config.yaml`; raises YamlError."""
    return [parse_yaml(part, max(len(part), 1)) for _, part in split_documents(text)]


def objects_in(document: object) -> Iterator[object]:
    """The objects of one document, a `kind: List` taken apart."""
    if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        yield from document["items"]
    elif document is not None:
        yield document


def read_object(value: object, namespace: str, origin: str) -> LabelledObject | None:
    """One decoded object, None when it is not ours; raises ManifestError. `created` is "" where the object does not
    say.

    namespace: for objects that name none.
    """
    if not isinstance(value, dict) or value.get("kind") not in ("ConfigMap", "Secret"):
        return None
    metadata = value.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(labels, dict) or TENANT_LABEL not in labels:
        return None
    if metadata.get("deletionTimestamp") is not None:  # written out while a finalizer held it: as in a cluster
        return None
    return _Reader(value, metadata, labels[TENANT_LABEL], namespace, origin).read()


class _Reader:
    """One labelled object, field by field."""

    def __init__(
        self, value: dict[str, Any], metadata: dict[str, Any], tenant: object, namespace: str, origin: str
    ) -> None:
        self._value = value
        self._tenant = tenant if isinstance(tenant, str) else ""
        self._annotations = metadata.get("annotations")
        self._identity = {"namespace": namespace, "name": "?"}
        for field in ("namespace", "name"):
            if field in metadata or field == "name":
                written = metadata.get(field)
                if not isinstance(written, str) or not _NAME.fullmatch(written):
                    raise self._refuse(f"metadata.{field}", "Expected a Kubernetes name")
                self._identity[field] = written
        if not isinstance(tenant, str):
            raise self._refuse("metadata.labels", f"The value of {TENANT_LABEL} is not a string; put it in quotes")
        self._common = {
            **self._identity,
            "tenant": tenant,
            "created": self._created(metadata.get("creationTimestamp")),
            "uid": str(metadata.get("uid") or ""),
            "version": str(metadata.get("resourceVersion") or ""),
            "origin": origin,
        }

    def read(self) -> LabelledObject:
        if self._value["kind"] == "ConfigMap":
            return LabelledConfigMap(**self._common, data=self._strings("data"), release_state=self._release_state())
        if self._value.get("type") != TLS_SECRET_TYPE:
            raise self._refuse("type", f"Only Secrets of type {TLS_SECRET_TYPE} are read")
        return LabelledSecret(
            **self._common,
            certificate_pem=self._material("tls.crt"),
            key_pem=PrivateBytes(self._material("tls.key")),
        )

    def _strings(self, part: str) -> dict[str, str]:
        data = self._value.get(part)
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise self._refuse(part, "Expected a mapping of keys to text")
        for key, text in data.items():
            if not isinstance(text, str):
                raise self._refuse(f"{part}.{key}", 'Expected text; a document inside needs a "|" after its key')
        return data

    def _release_state(self) -> ReleaseState:
        status = self._annotations.get(STATUS_ANNOTATION) if isinstance(self._annotations, dict) else None
        return release_state(status) if isinstance(status, str) else "unknown"

    def _material(self, key: str) -> bytes:
        """A value of the Secret, b"" when it is missing; `stringData` wins over `data`, as in the API server."""
        written = self._strings("stringData").get(key)
        if written is not None:
            return written.encode()
        try:
            return base64.b64decode("".join(self._strings("data").get(key, "").split()), validate=True)
        except (binascii.Error, ValueError):
            raise self._refuse(f"data.{key}", "Expected base64; plain text belongs under stringData") from None

    def _created(self, written: object) -> str:
        if written is None:
            return ""
        try:
            return canonical_time(datetime.fromisoformat(str(written)))
        except ValueError:
            raise self._refuse("metadata.creationTimestamp", "Expected a time such as 2026-01-31T12:00:00Z") from None

    def _refuse(self, field: str, message: str) -> ManifestError:
        reference = f"{self._value['kind']} {self._identity['namespace']}/{self._identity['name']}"
        return ManifestError(reference, field, message, self._tenant)


def canonical_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always as long, so that text sorts as time does; without a zone it is UTC."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
