"""Kubernetes objects as the API has them, only the fields that matter; null stands for absent as it does there."""

from __future__ import annotations

from typing import Annotated

import msgspec

_NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
Name = Annotated[str, msgspec.Meta(max_length=253, pattern=rf"^{_NAME}\Z")]
"""What the API server takes for one. Files may hold anything else, and names end up in commands."""
OptionalName = Annotated[str, msgspec.Meta(max_length=253, pattern=rf"^({_NAME})?\Z")]

DEFAULT_NAMESPACE = "default"
"""Of objects in files that name none, as for kubectl."""


class Meta(msgspec.Struct, rename="camel"):
    name: Name
    namespace: Name = DEFAULT_NAMESPACE
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None


class Port(msgspec.Struct):
    number: int = 0
    name: str = ""


class Service(msgspec.Struct):
    name: str
    port: Port = msgspec.field(default_factory=Port)


class Backend(msgspec.Struct):
    service: Service | None = None


class Path(msgspec.Struct, rename="camel"):
    backend: Backend
    path: str = ""
    path_type: str = "ImplementationSpecific"


class Http(msgspec.Struct):
    paths: list[Path]


class Rule(msgspec.Struct):
    host: str = ""
    http: Http | None = None


class Tls(msgspec.Struct, rename="camel"):
    hosts: list[str] | None = None
    secret_name: OptionalName = ""


class IngressSpec(msgspec.Struct, rename="camel"):
    ingress_class_name: str | None = None
    default_backend: Backend | None = None
    rules: list[Rule] | None = None
    tls: list[Tls] | None = None


class Ingress(msgspec.Struct):
    metadata: Meta
    spec: IngressSpec


class Data(msgspec.Struct, rename="camel"):
    metadata: Meta
    type: str = ""
    data: dict[str, str] | None = None
    string_data: dict[str, str] | None = None


class ServiceSpec(msgspec.Struct, rename="camel"):
    type: str = "ClusterIP"
    external_name: str = ""


class ServiceObject(msgspec.Struct):
    metadata: Meta
    spec: ServiceSpec


class ClassSpec(msgspec.Struct):
    controller: str = ""


class Class(msgspec.Struct):
    metadata: Meta
    spec: ClassSpec


class Named(msgspec.Struct):
    metadata: Meta
