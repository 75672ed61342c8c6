"""This entry, as an operator runs it: supervisor, control process and one worker, a folder as its source."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from bench.contenders.base import Contender
from bench.processes import free_port
from bench.site import SYSTEM_DOMAIN, TENANT, Site

NAMESPACE = "higress-system"
_LABEL = "entryproxy.higress.io/tenant"


class Entry(Contender):
    """The access log is standard output, which is a file here; metrics are always on.

    unknown_sni is "default" because wrk sends the address it connects to as SNI.
    """

    name: ClassVar[str] = "entry"
    unknown_sni = "default"

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.source = self.folder / "source"

    def command(self, folder: Path) -> list[str]:
        self.source.mkdir(exist_ok=True)
        settings = {"systemDomain": SYSTEM_DOMAIN, "unknownSni": self.unknown_sni}
        pair = (self.site.certificate.read_text(), self.site.key.read_text())
        write_objects(self.source / "platform.yaml", config_map("platform", "system", settings=settings))
        write_objects(self.source / "certificate.yaml", secret("system", "system", *pair))
        write_objects(self.source / "tenant1.yaml", *self.tenant_objects(TENANT), secret(TENANT, TENANT, *pair))
        return [
            *(sys.executable, "-m", "entryproxy", "serve"),
            *("--source", str(self.source), "--bind", "127.0.0.1", "--workers", "1"),
            *("--https-port", str(self.https_port), "--http-port", str(free_port()), "--admin-port", str(free_port())),
            *("--drain-delay", "0", "--drain-timeout", "1"),
        ]

    def tenant_objects(self, tenant: str) -> list[dict[str, Any]]:
        """The ConfigMap that declares a tenant with the bench's upstream as its gateway."""
        return [config_map(tenant, tenant, tenant={"gateway": {"addresses": [f"127.0.0.1:{self.site.upstream_port}"]}})]


def config_map(name: str, owner: str, **documents: dict[str, Any]) -> dict[str, Any]:
    """A labelled ConfigMap; `documents` become its keys: settings → settings.yaml."""
    data = {f"{key}.yaml": json.dumps(document) for key, document in documents.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(name, owner), "data": data}


def secret(name: str, owner: str, certificate_pem: str, key_pem: str) -> dict[str, Any]:
    """A labelled TLS Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": _metadata(name, owner),
        "stringData": {"tls.crt": certificate_pem, "tls.key": key_pem},
    }


def write_objects(path: Path, *objects: dict[str, Any]) -> None:
    """One file with several objects, in one step: a watcher sees the old file or the new one. JSON is YAML."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n---\n".join(json.dumps(one) for one in objects))
    temporary.replace(path)


def _metadata(name: str, owner: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {_LABEL: owner},
    }
