"""One Kubernetes object, as decoded JSON or YAML → the inventory. Kinds that don't matter are passed over."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from entryproxy.migrate import api
from entryproxy.migrate.inventory import ConfigMap, Ingress, Inventory, Path, Rule, TlsBlock, TlsSecret
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import TENANT_LABEL, TLS_SECRET_TYPE
from entryproxy.model.secret import PrivateBytes

CONTROLLER = "k8s.io/ingress-nginx"
"""`spec.controller` of ingress-nginx's IngressClasses."""
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
CONTROLLER_LABEL = "app.kubernetes.io/name"
CONTROLLER_LABEL_VALUE = "ingress-nginx"
_CONTROLLER_NAMES = ("ingress-nginx-controller", "nginx-configuration", "nginx-ingress-controller")
_STREAM_NAMES = ("tcp-services", "udp-services")
_STREAM_SUFFIXES = ("-tcp", "-udp")

T = TypeVar("T")


def add_object(inventory: Inventory, value: object, origin: str, *, with_keys: bool = False) -> None:
    """Put one object into the inventory, or a finding about it.

    origin: file it comes from, "" for the cluster. with_keys: keep private keys of TLS Secrets.
    """
    kind, version = _kind_of(value)
    if kind == "Ingress" and version != "networking.k8s.io/v1":
        message = f"{version or 'Nothing'} is no version that is served any more; write networking.k8s.io/v1"
        inventory.findings.append(_unread(value, origin, "apiVersion", message))
        return
    add = _READERS.get(kind)
    if add is None:
        return
    try:
        add(inventory, value, origin, with_keys)
    except (msgspec.ValidationError, binascii.Error) as problem:
        message, _, path = str(problem).partition(" - at ")
        inventory.findings.append(_unread(value, origin, path.strip("`").removeprefix("$."), message))


def _kind_of(value: object) -> tuple[str, str]:
    if not isinstance(value, dict):
        return "", ""
    kind, version = value.get("kind"), value.get("apiVersion")
    return (kind if isinstance(kind, str) else ""), (version if isinstance(version, str) else "")


def _add_ingress(inventory: Inventory, value: object, origin: str, with_keys: bool) -> None:
    one = msgspec.convert(value, api.Ingress)
    annotations = one.metadata.annotations or {}
    spec = one.spec
    ingress = Ingress(
        namespace=one.metadata.namespace,
        name=one.metadata.name,
        created=one.metadata.creation_timestamp or "",
        ingress_class=spec.ingress_class_name or annotations.get(CLASS_ANNOTATION, ""),
        labels=one.metadata.labels or {},
        annotations=annotations,
        rules=tuple(_rule(rule) for rule in spec.rules or ()),
        tls=tuple(TlsBlock(_hosts(block.hosts), block.secret_name) for block in spec.tls or ()),
        default_service=_service_of(spec.default_backend),
        origin=origin,
    )
    first = inventory.ingresses.setdefault((ingress.namespace, ingress.name), ingress)
    if first is not ingress:
        message = f"The same Ingress is in {first.origin} already; this one is ignored"
        inventory.findings.append(_unread(value, origin, "metadata.name", message))


def _rule(rule: api.Rule) -> Rule:
    paths = rule.http.paths if rule.http else []
    return Rule(
        _host(rule.host),
        tuple(
            Path(path=one.path, kind=one.path_type, service=_service_of(one.backend), port=_port_of(one.backend))
            for one in paths
        ),
    )


def _host(text: str) -> str:
    return text.strip().lower().removesuffix(".")


def _hosts(hosts: list[str] | None) -> tuple[str, ...]:
    return tuple(_host(one) for one in hosts or ())


def _service_of(backend: api.Backend | None) -> str:
    return backend.service.name if backend and backend.service else ""


def _port_of(backend: api.Backend) -> str:
    port = backend.service.port if backend.service else api.Port()
    return port.name or str(port.number)


def _add_service(inventory: Inventory, value: object, origin: str, with_keys: bool) -> None:
    one = msgspec.convert(value, api.ServiceObject)
    if one.spec.type == "ExternalName":
        inventory.external_names[one.metadata.namespace, one.metadata.name] = _host(one.spec.external_name)


def _add_secret(inventory: Inventory, value: object, origin: str, with_keys: bool) -> None:
    one = msgspec.convert(value, api.Data)
    if one.type != TLS_SECRET_TYPE:
        return
    key = _material(one, "tls.key") if with_keys else b""
    secret = TlsSecret(
        namespace=one.metadata.namespace,
        name=one.metadata.name,
        certificate_pem=_material(one, "tls.crt"),
        key_pem=PrivateBytes(key) if key else None,
    )
    inventory.secrets[secret.namespace, secret.name] = secret


def _material(one: api.Data, key: str) -> bytes:
    text = (one.string_data or {}).get(key)
    if text is not None:
        return text.encode()
    return base64.b64decode("".join((one.data or {}).get(key, "").split()), validate=True)


def _add_config_map(inventory: Inventory, value: object, origin: str, with_keys: bool) -> None:
    one = msgspec.convert(value, api.Data)
    labels = one.metadata.labels or {}
    data = one.data or {}
    name = one.metadata.name
    if labels.get(TENANT_LABEL) == SYSTEM:
        inventory.settings = inventory.settings or data.get("settings.yaml", "")
    elif name in _STREAM_NAMES or (_is_of_controller(labels) and name.endswith(_STREAM_SUFFIXES)):
        inventory.streams.append(ConfigMap(namespace=one.metadata.namespace, name=name, data=data))
    elif name in _CONTROLLER_NAMES or (_is_of_controller(labels) and name.endswith("-controller")):
        created = one.metadata.creation_timestamp or ""
        inventory.controllers.append(ConfigMap(namespace=one.metadata.namespace, name=name, data=data, created=created))


def _is_of_controller(labels: Mapping[str, str]) -> bool:
    return labels.get(CONTROLLER_LABEL) == CONTROLLER_LABEL_VALUE


def _add_namespace(inventory: Inventory, value: object, origin: str, with_keys: bool) -> None:
    one = msgspec.convert(value, api.Named)
    if TENANT_LABEL in (labels := one.metadata.labels or {}):
        inventory.tenants[one.metadata.name] = labels[TENANT_LABEL]


def _add_class(inventory: Inventory, value: object, origin: str, with_keys: bool) -> None:
    one = msgspec.convert(value, api.Class)
    if one.spec.controller == CONTROLLER:
        inventory.classes.add(one.metadata.name)


_READERS: Mapping[str, Callable[[Inventory, object, str, bool], None]] = {
    "Ingress": _add_ingress,
    "Service": _add_service,
    "Secret": _add_secret,
    "ConfigMap": _add_config_map,
    "Namespace": _add_namespace,
    "IngressClass": _add_class,
}


def _unread(value: Any, origin: str, field: str, message: str) -> Finding:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    reference = f"{value['kind']} {metadata.get('namespace', api.DEFAULT_NAMESPACE)}/{metadata.get('name', '?')}"
    return Finding(
        severity="error", reason="InvalidObject", object=reference, field=field, message=message, origin=origin
    )
