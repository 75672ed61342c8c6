"""Where charts come from, on loopback: packed files made by hand, an HTTP repository, and a registry."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from entryproxy.config.manifests import split_documents
from entryproxy.config.yaml import parse_yaml
from entryproxy.controller.helm.chart_contents import YamlReader
from tests.support import require_tool

READER = YamlReader(parse_yaml, split_documents)
METADATA = "{apiVersion: v2, name: tiny, version: 1.0.0}"
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: NAME.example.com}
"""


def definition(name: str) -> str:
    return DEFINITION.replace("NAME", name)


def packed(files: Mapping[str, str | bytes], *, folder: str = "tiny", time: int = 0) -> bytes:
    """A packed chart. time: of its files, in Unix seconds."""
    members = []
    for name, text in files.items():
        member = tarfile.TarInfo(f"{folder}/{name}")
        member.mtime = time
        members.append((member, text.encode() if isinstance(text, str) else text))
    return packed_members(members)


def packed_members(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(tar.getvalue(), mtime=0)


def write_chart(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def index(folder: Path) -> None:
    """Write index.yaml for the packed charts of a folder, as the owner of a repository does."""
    subprocess.run([require_tool("helm"), "repo", "index", str(folder)], check=True, capture_output=True)


class Served:
    """A server: its URL, and what it was asked for. is_away: connections are cut. digest: of a registry's manifest."""

    def __init__(self) -> None:
        self.url = ""
        self.digest = ""
        self.is_away = False
        self.asked: list[str] = []
        self.authorization: set[str] = set()


@contextmanager
def repository(folder: Path) -> Iterator[Served]:
    """An HTTP repository: the files of a folder."""
    with _serve(lambda path: _file(folder / path.removeprefix("/"))) as served:
        yield served


@contextmanager
def registry(name: str, tag: str, chart: bytes) -> Iterator[Served]:
    """A registry that can be read, with one chart (OCI image manifest with Helm's media types)."""
    config = b"{}"
    parts = {"config": config, "content.v1.tar+gzip": chart}
    blobs = {_digest(data): data for data in parts.values()}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor("application/vnd.cncf.helm.config.v1+json", config),
            "layers": [_descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart)],
        }
    ).encode()
    known = {f"/v2/{name}/blobs/{digest}": ("application/octet-stream", data) for digest, data in blobs.items()}
    known |= {f"/v2/{name}/manifests/{one}": (_MANIFEST, manifest) for one in (tag, _digest(manifest))}
    with _serve(known.get) as served:
        served.digest = _digest(manifest)
        yield served


_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _file(place: Path) -> tuple[str, bytes] | None:
    return ("application/octet-stream", place.read_bytes()) if place.is_file() else None


@contextmanager
def _serve(answer: Any) -> Iterator[Served]:
    served = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if served.is_away:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            served.asked.append(self.path)
            served.authorization.add(self.headers.get("Authorization", ""))
            kind, data = answer(self.path) or ("text/plain", None)
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data or b"")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
