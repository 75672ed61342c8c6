"""What is there: ingress-nginx's objects with the fields that matter, whether they come from a folder or a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from entryproxy.migrate.annotations import PREFIX
from entryproxy.model.finding import Finding
from entryproxy.model.secret import PrivateBytes

Name = tuple[str, str]
"""Namespace and name."""
NO_TIME = "~"
"""After every timestamp."""


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """One path of a rule. service: "" for a resource backend; port: number or name as text."""

    path: str
    kind: str
    service: str
    port: str

    def __str__(self) -> str:
        target = f"{self.service}:{self.port}" if self.service else "a resource"
        return f"{self.path or '/'} → {target}"


class Rule(msgspec.Struct, frozen=True):
    """host: "" for every host."""

    host: str
    paths: tuple[Path, ...]


class TlsBlock(msgspec.Struct, frozen=True):
    """One item of `spec.tls`. secret: "" for the controller's default certificate."""

    hosts: tuple[str, ...]
    secret: str


class Ingress(msgspec.Struct, frozen=True, kw_only=True):
    """networking.k8s.io/v1. ingress_class: from `spec.ingressClassName`, else the old annotation, "" for none. created:
    creationTimestamp, "" when unknown. default_service: of `spec.defaultBackend`."""

    namespace: str
    name: str
    created: str = ""
    ingress_class: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    rules: tuple[Rule, ...] = ()
    tls: tuple[TlsBlock, ...] = ()
    default_service: str = ""
    origin: str = ""

    @property
    def reference(self) -> str:
        return f"Ingress {self.namespace}/{self.name}"

    def setting(self, name: str) -> str:
        """The value of one of ingress-nginx's annotations, "" when it isn't there."""
        return self.annotations.get(PREFIX + name, "")


class TlsSecret(msgspec.Struct, frozen=True, kw_only=True):
    """key_pem: None unless keys were asked for."""

    namespace: str
    name: str
    certificate_pem: bytes
    key_pem: PrivateBytes | None = None


class ConfigMap(msgspec.Struct, frozen=True, kw_only=True):
    """created: creationTimestamp, "" when unknown."""

    namespace: str
    name: str
    data: Mapping[str, str]
    created: str = ""

    @property
    def reference(self) -> str:
        return f"ConfigMap {self.namespace}/{self.name}"


class Inventory:
    """Everything that was read, filled object by object.

    tenants: namespace → value of our label on it. external_names: Services of type ExternalName → where they lead.
    controllers: ConfigMaps that look like ingress-nginx's own. streams: its TCP and UDP services. classes:
    IngressClasses that belong to ingress-nginx. settings: text of `settings.yaml` where the platform has one already.
    missing: Secrets that were looked for and aren't there. findings: what couldn't be read.
    """

    def __init__(self) -> None:
        self.ingresses: dict[Name, Ingress] = {}
        self.tenants: dict[str, str] = {}
        self.external_names: dict[Name, str] = {}
        self.secrets: dict[Name, TlsSecret] = {}
        self.missing: set[Name] = set()
        self.controllers: list[ConfigMap] = []
        self.streams: list[ConfigMap] = []
        self.classes: set[str] = set()
        self.settings = ""
        self.findings: list[Finding] = []

    @property
    def controller(self) -> ConfigMap | None:
        """ingress-nginx's own: the oldest, because anybody with a namespace may make one that looks like it."""
        return min(self.controllers, key=lambda one: (one.created or NO_TIME, one.namespace, one.name), default=None)


def wanted_secrets(ingresses: Iterable[Ingress]) -> list[Name]:
    """The Secrets that these Ingresses name in `spec.tls`."""
    return sorted({(one.namespace, block.secret) for one in ingresses for block in one.tls if block.secret})
