"""Kubernetes objects as text, as an operator would write them."""

from __future__ import annotations

import base64
from typing import Any

import yaml

LABEL = "entryproxy.higress.io/tenant"


def config_map(tenant: str, data: dict[str, str] | None = None, *, name: str = "", **metadata: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name or tenant, "labels": {LABEL: tenant}, **metadata},
            "data": data or {},
        }
    )


def secret(tenant: str, certificate: bytes = b"crt", key: bytes = b"key", *, name: str = "tls", **fields: Any) -> str:
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    value = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": "ns", "labels": {LABEL: tenant}},
        "data": data,
    }
    return yaml.safe_dump({**value, **fields})


def together(*documents: str) -> str:
    return "---\n".join(documents)
