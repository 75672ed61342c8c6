"""What an object of the cluster says that matters to its neighbours: JSON of one item → the words of an inventory.

Only the fields that count are decoded; the rest of an object, its managed fields above all, is skipped over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from entryproxy.controller.payload import RELEASE_NAME_ANNOTATION, RELEASE_NAMESPACE_ANNOTATION
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.provision.inventory import Definition, IngressClass, OpenService, OwnedNamespace, ReleaseName
from entryproxy.provision.objects import OWNER_LABEL, SOURCE_ANNOTATION

_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_HIGRESS = "higress.io/"
_NULL = msgspec.Raw(b"null")
I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
Reader = Callable[[msgspec.Raw], T | None]


class Metadata(msgspec.Struct):
    """Who an object is."""

    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    def owner(self) -> ReleaseName | None:
        """The Helm release that the object belongs to."""
        notes = self.annotations or {}
        name, namespace = notes.get(RELEASE_NAME_ANNOTATION), notes.get(RELEASE_NAMESPACE_ANNOTATION)
        return (namespace, name) if name and namespace else None


class Item(msgspec.Struct):
    """An object of whatever kind."""

    metadata: Metadata


class _ClassSpec(msgspec.Struct):
    controller: str = ""


class _Class(Item):
    spec: _ClassSpec = msgspec.field(default_factory=_ClassSpec)


class _GatewayClassSpec(msgspec.Struct, rename="camel"):
    controller_name: str = ""


class _GatewayClass(Item):
    spec: _GatewayClassSpec = msgspec.field(default_factory=_GatewayClassSpec)


class _Version(msgspec.Struct):
    name: str
    served: bool = False


class _DefinitionSpec(msgspec.Struct):
    versions: list[_Version] = msgspec.field(default_factory=list)


class _Definition(Item):
    spec: _DefinitionSpec


class _PluginSpec(msgspec.Struct, rename="camel"):
    default_config: msgspec.Raw = _NULL
    default_config_disable: bool | None = None


class _Plugin(Item):
    spec: _PluginSpec = msgspec.field(default_factory=_PluginSpec)


class _ServicePort(msgspec.Struct, rename="camel"):
    port: int
    node_port: int = 0


class _ServiceSpec(msgspec.Struct, rename={"load_balancer_ip": "loadBalancerIP"}):
    ports: list[_ServicePort] | None = None
    load_balancer_ip: str = ""


class _Service(Item):
    spec: _ServiceSpec


def reader(kind: type[I], read: Callable[[I], T | None]) -> Reader[T]:
    """JSON of one item → what it is to its neighbours; None for nothing, and for what nobody can read."""
    decode = any_depth(msgspec.json.Decoder(kind).decode)

    def read_item(raw: msgspec.Raw) -> T | None:
        try:
            item = decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return read(item)

    return read_item


def _class(item: _Class) -> IngressClass:
    metadata = item.metadata
    is_default = (metadata.annotations or {}).get(_DEFAULT_CLASS) == "true"
    return IngressClass(
        name=metadata.name, controller=item.spec.controller, owner=metadata.owner(), is_default=is_default
    )


def _gateway_class(item: _GatewayClass) -> str | None:
    return item.metadata.name if item.spec.controller_name.startswith(_HIGRESS) else None


def _definition(item: _Definition) -> Definition:
    versions = frozenset(one.name for one in item.spec.versions if one.served)
    return Definition(name=item.metadata.name, versions=versions, owner=item.metadata.owner())


def _plugin(item: _Plugin) -> str | None:
    """An empty `defaultConfig` configures all the same."""
    is_given = item.spec.default_config != _NULL
    return _name(item) if is_given and not item.spec.default_config_disable else None


def _service(item: _Service) -> OpenService:
    ports = item.spec.ports or ()
    return OpenService(
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        owner=item.metadata.owner(),
        node_ports=frozenset(port.node_port for port in ports if port.node_port),
        ports=frozenset(port.port for port in ports),
        address=item.spec.load_balancer_ip,
    )


def _namespace(item: Item) -> OwnedNamespace | None:
    metadata = item.metadata
    tenant = (metadata.labels or {}).get(OWNER_LABEL, "")
    source = (metadata.annotations or {}).get(SOURCE_ANNOTATION, "")
    return OwnedNamespace(name=metadata.name, tenant=tenant, source=source) if tenant else None


def _name(item: Item) -> str:
    return f"{item.metadata.namespace}/{item.metadata.name}"


DEFINITIONS = reader(_Definition, _definition)
GATEWAY_CLASSES = reader(_GatewayClass, _gateway_class)
INGRESS_CLASSES = reader(_Class, _class)
NAMES = reader(Item, _name)
NAMESPACES = reader(Item, _namespace)
PLUGINS = reader(_Plugin, _plugin)
SERVICES = reader(_Service, _service)
