"""Labelled objects in a line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import (
    LabelledConfigMap,
    LabelledEndpointSlice,
    LabelledObject,
    LabelledSecret,
    SliceEndpoint,
    SlicePort,
)
from entryproxy.model.reading import Reading
from entryproxy.model.secret import PrivateBytes
from tests.compiler.pairs import certificate, key_pem, pem

NAMESPACE = "higress-system"
DOMAIN = "aigw.example.com"


class Following:
    """A compiler that is told of all objects every time, as a source would tell it."""

    def __init__(self, compiler: Compiler | None = None) -> None:
        self.compiler = compiler or Compiler(parse_yaml)
        self._known: dict[str, LabelledObject] = {}

    def compile(
        self, objects: Iterable[LabelledObject], now: float, unread: frozenset[str] = frozenset()
    ) -> Compilation:
        before, self._known = self._known, {one.reference: one for one in objects}
        difference = Reading.between(before, self._known)
        reading = Reading(changed=difference.changed, removed=difference.removed, unread=unread)
        return self.compiler.compile(reading, now)


def config(
    tenant: str, spec: Mapping[str, Any] | str | None = None, *, name: str = "", **fields: Any
) -> LabelledConfigMap:
    """A tenant's ConfigMap; `spec` is its tenant.yaml, as data or as text."""
    data = fields.pop("data", {})
    if spec is not None:
        data = {**data, "tenant.yaml": spec if isinstance(spec, str) else yaml.safe_dump(dict(spec))}
    fields.setdefault("created", "2026-01-01T00:00:00Z")
    return LabelledConfigMap(namespace=NAMESPACE, name=name or tenant, tenant=tenant, data=data, **fields)


def settings(*, name: str = "platform", created: str = "2026-01-01T00:00:00Z", **fields: Any) -> LabelledConfigMap:
    """The platform's ConfigMap; `fields` are its settings.yaml."""
    text = yaml.safe_dump({"systemDomain": DOMAIN, **fields})
    return LabelledConfigMap(
        namespace=NAMESPACE, name=name, tenant="system", created=created, data={"settings.yaml": text}
    )


def secret(
    tenant: str, *names: str, name: str = "", start: float = -1, end: float = 90, **fields: Any
) -> LabelledSecret:
    """A good pair for `names`, unless `certificate_pem` or `key_pem` say otherwise."""
    return LabelledSecret(
        namespace=NAMESPACE,
        name=name or f"{tenant}-tls",
        tenant=tenant,
        created=fields.pop("created", "2026-01-01T00:00:00Z"),
        certificate_pem=fields.pop("certificate_pem", None) or pem(certificate(*names, start=start, end=end)),
        key_pem=PrivateBytes(fields.pop("key_pem", None) or key_pem()),
        **fields,
    )


def endpoint_slice(
    tenant: str, *pods: str | SliceEndpoint, ports: Sequence[tuple[str, int]] = (("http", 8080),), **fields: Any
) -> LabelledEndpointSlice:
    """A slice of the tenant's ordinary gateway Service; a pod given by its address is ready."""
    return LabelledEndpointSlice(
        namespace=fields.pop("namespace", f"{tenant}-gateway"),
        name=fields.pop("name", "higress-gateway-1"),
        tenant=tenant,
        created="2026-01-01T00:00:00Z",
        service=fields.pop("service", "higress-gateway"),
        ports=tuple(SlicePort(*one) for one in ports),
        endpoints=tuple(SliceEndpoint(address=one) if isinstance(one, str) else one for one in pods),
        **fields,
    )
