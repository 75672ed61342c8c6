"""What Helm keeps of a revision, out of its Secret, and that revision's objects as Helm applies them.

Pure. The Secret is the cluster's, so it is taken for hostile: every step has its limit, and what goes wrong is told
without a byte of what was in it, which may be a key.
"""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec

from entryproxy.kubernetes.nesting import any_depth
from entryproxy.provision.objects import MANAGED_BY_LABEL

SECRET_BYTES_MAX = 4_194_304
"""A Secret holds a mebibyte at most; base64 and managed fields come on top."""
PAYLOAD_BYTES_MAX = 16_777_216
OBJECTS_MAX = 1_000
RELEASE_NAME_ANNOTATION = "meta.helm.sh/release-name"
RELEASE_NAMESPACE_ANNOTATION = "meta.helm.sh/release-namespace"
HELM = "Helm"
HELM_FIELD_MANAGER = "helm"
"""The value of MANAGED_BY_LABEL on what belongs to a release."""
_HOOK_ANNOTATION = "helm.sh/hook"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS

Manifest = dict[str, Any]
ParseDocuments = Callable[[str], list[Any]]
"""The documents of a YAML text; raises ValueError."""


_Word = Annotated[str, msgspec.Meta(min_length=1)]


class PayloadError(ValueError):
    """A Secret that Helm couldn't have written. The message is a sentence."""


class _Data(msgspec.Struct):
    release: str


class _Secret(msgspec.Struct):
    data: _Data


class Payload(msgspec.Struct, frozen=True):
    """What a revision's Secret says. manifest: YAML documents, without hooks; description: of what made it."""

    manifest: str
    description: str


class _Info(msgspec.Struct):
    description: str = ""


class _Release(msgspec.Struct):
    name: str
    namespace: str
    version: int
    manifest: str
    info: _Info = msgspec.field(default_factory=_Info)


class _Metadata(msgspec.Struct):
    name: _Word
    namespace: str | None = None
    labels: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None


class _Object(msgspec.Struct, rename="camel"):
    api_version: _Word
    kind: _Word
    metadata: _Metadata
    spec: dict[str, Any] | None = None


_decode_secret = any_depth(msgspec.json.Decoder(_Secret).decode)
_decode_release = any_depth(msgspec.json.Decoder(_Release).decode)


def unpack(secret: bytes, release: str, namespace: str, revision: int) -> Payload:
    """Of a revision, from its Secret as the API server gives it.

    Base64 twice, gzip, JSON: Helm 4, pkg/storage/driver/util.go. Raises PayloadError, also for another revision's.
    """
    try:
        packed = b64decode(b64decode(_decode_secret(secret).data.release, validate=True), validate=True)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError):
        raise PayloadError("It isn't base64 of base64") from None
    try:
        said = _decode_release(_inflate(packed))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise PayloadError("It holds no release in JSON") from None
    if (said.name, said.namespace, said.version) != (release, namespace, revision):
        raise PayloadError("It holds another release or revision than it is named for")
    return Payload(said.manifest, said.info.description)


def _inflate(packed: bytes) -> bytes:
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = inflate.decompress(packed, PAYLOAD_BYTES_MAX)
    except zlib.error:
        raise PayloadError("It isn't gzip") from None
    if not inflate.eof:
        why = f"unpacks to more than {PAYLOAD_BYTES_MAX} bytes" if len(text) == PAYLOAD_BYTES_MAX else "is cut short"
        raise PayloadError(f"It {why}")
    return text


def objects_of(manifest: str, parse_documents: ParseDocuments) -> list[Manifest]:
    """The objects of a manifest, in its order, Lists taken apart, hooks left out. Raises PayloadError."""
    try:
        documents = parse_documents(manifest)
    except ValueError:
        raise PayloadError("Its manifest isn't YAML that can be read") from None
    found = [one for document in documents for one in _objects(document)]
    if len(found) > OBJECTS_MAX:
        raise PayloadError(f"Its manifest has more than {OBJECTS_MAX} objects")
    return found


def _objects(document: object) -> Iterator[Manifest]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise PayloadError("Its manifest has a document that is no object")
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(item)
        return
    try:
        known = msgspec.convert(document, _Object)
    except msgspec.ValidationError:
        raise PayloadError("Its manifest has an object without a version, kind or name") from None
    if _HOOK_ANNOTATION not in (known.metadata.annotations or {}):
        yield document


def as_helm_applies(manifest: Manifest, release: str, namespace: str, *, is_namespaced: bool) -> Manifest:
    """A copy with what Helm adds and doesn't keep: the namespace, and the marks by which it knows its own objects.
    Applied without these, they would be taken from the object."""
    metadata = dict(manifest["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), MANAGED_BY_LABEL: HELM}
    marks = {RELEASE_NAME_ANNOTATION: release, RELEASE_NAMESPACE_ANNOTATION: namespace}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **marks}
    if is_namespaced:
        metadata["namespace"] = metadata.get("namespace") or namespace
    else:
        metadata.pop("namespace", None)
    return {**manifest, "metadata": metadata}
