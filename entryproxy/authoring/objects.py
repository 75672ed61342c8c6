"""The two labelled objects as the API takes them: plain data, only what was asked for."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from entryproxy.model.objects import TENANT_LABEL, TLS_SECRET_TYPE
from entryproxy.model.secret import PrivateBytes

Manifest = dict[str, Any]
"""A Kubernetes object as plain data."""


def config_map(namespace: str, name: str, tenant: str, data: Mapping[str, str]) -> Manifest:
    """A ConfigMap with our label; without `data` where there is none."""
    manifest = _manifest("ConfigMap", namespace, name, tenant)
    if data:
        manifest["data"] = dict(data)
    return manifest


def tls_secret(namespace: str, name: str, tenant: str, certificate_pem: bytes, key_pem: PrivateBytes) -> Manifest:
    """A kubernetes.io/tls Secret with our label. It holds the key for anybody to read: it is for the API server, or for
    whoever asked to see it."""
    manifest = _manifest("Secret", namespace, name, tenant)
    manifest["type"] = TLS_SECRET_TYPE
    manifest["data"] = {"tls.crt": _base64(certificate_pem), "tls.key": _base64(key_pem.reveal())}
    return manifest


def _manifest(kind: str, namespace: str, name: str, tenant: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {TENANT_LABEL: tenant}},
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
