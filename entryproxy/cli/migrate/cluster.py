"""Ingresses and what belongs to them from the cluster, with the operator's own permissions.

Ingresses have to be readable. Whatever else may not be read is left out, with a remark. Secrets are asked for one by
one, only those that an Ingress names.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from entryproxy.cli.access import ClusterAccess
from entryproxy.cli.cluster import on_cluster
from entryproxy.cli.failures import NOT_FOUND, Action, attempt
from entryproxy.config.kubernetes.decode import decode_document
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import FORBIDDEN, ApiError
from entryproxy.migrate.decode import CONTROLLER_LABEL, CONTROLLER_LABEL_VALUE, add_object
from entryproxy.migrate.inventory import Inventory, wanted_secrets
from entryproxy.migrate.selection import effective_classes, select
from entryproxy.model.finding import Finding
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import TENANT_LABEL

_NETWORKING = "networking.k8s.io/v1"
_CORE = "v1"


def read_cluster(args: argparse.Namespace, classes: Iterable[str], *, with_keys: bool) -> Inventory:
    """What the cluster that the arguments name holds; raises CommandError.

    classes: of Ingresses that the operator named; Secrets are read for these alone.
    """

    async def read(access: ClusterAccess) -> Inventory:
        reader = _Reader(access.client, with_keys)
        await reader.read(args.namespace, classes)
        return reader.inventory

    return on_cluster(args, read)


class _Reader:
    def __init__(self, client: ClusterClient, with_keys: bool) -> None:
        self.inventory = Inventory()
        self._client = client
        self._with_keys = with_keys

    async def read(self, entry_namespace: str, classes: Iterable[str]) -> None:
        await self._list("Ingress", _NETWORKING, "ingresses", is_needed=True)
        await self._list("IngressClass", _NETWORKING, "ingressclasses")
        await self._list("Namespace", _CORE, "namespaces")
        await self._list("Service", _CORE, "services")
        # Anywhere in the cluster, so not what would be taken for the platform's settings.
        theirs = f"{CONTROLLER_LABEL}={CONTROLLER_LABEL_VALUE},!{TENANT_LABEL}"
        await self._list("ConfigMap", _CORE, "configmaps", selector=theirs)
        await self._list("ConfigMap", _CORE, "configmaps", entry_namespace, f"{TENANT_LABEL}={SYSTEM}")
        ingresses, _ = select(self.inventory.ingresses.values(), effective_classes(classes, self.inventory.classes))
        for namespace, name in wanted_secrets(ingresses):
            await self._get_secret(namespace, name)

    async def _list(
        self,
        kind: str,
        version: str,
        plural: str,
        namespace: str = "",
        selector: str = "",
        *,
        is_needed: bool = False,
    ) -> None:
        group = version.partition("/")[0] if "/" in version else ""
        action = Action(verb="list", resource=plural, group=group, namespace=namespace, server=self._client.server)
        try:
            with attempt(action, passed=() if is_needed else (FORBIDDEN,)):
                async for page in self._pages(_path(version, plural, namespace), selector):
                    for item in page.get("items") or ():
                        # Lists leave both out of their items.
                        self._add({"apiVersion": version, "kind": kind, **item})
        except ApiError as error:
            self._note(kind, error)

    async def _pages(self, path: str, selector: str) -> AsyncIterator[Mapping[str, Any]]:
        query = {"labelSelector": selector} if selector else {}
        async for body in self._client.list(path, query):
            yield decode_document(body)

    async def _get_secret(self, namespace: str, name: str) -> None:
        action = Action(verb="get", resource="secrets", name=name, namespace=namespace, server=self._client.server)
        try:
            with attempt(action, passed=(FORBIDDEN, NOT_FOUND)):
                document = decode_document(await self._client.get(f"{_path(_CORE, 'secrets', namespace)}/{name}"))
        except ApiError as error:
            if error.status == NOT_FOUND:
                self.inventory.missing.add((namespace, name))
            else:
                self._note(f"Secret {namespace}/{name}", error)
        else:
            self._add(document)

    def _add(self, value: Mapping[str, Any]) -> None:
        add_object(self.inventory, value, "", with_keys=self._with_keys)

    def _note(self, what: str, error: ApiError) -> None:
        message = f"Left out: {error.message}"
        self.inventory.findings.append(
            Finding(severity="warning", reason="Forbidden", object=what, field="", message=message)
        )


def _path(version: str, plural: str, namespace: str) -> str:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
