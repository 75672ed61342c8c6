"""The API server as commands use it: few requests, and each failure a sentence with what to do."""

from __future__ import annotations

import msgspec

from entryproxy.authoring.objects import Manifest
from entryproxy.authoring.ownership import FIELD_MANAGER
from entryproxy.cli.failures import NOT_FOUND, Action, attempt
from entryproxy.cli.output import CommandError
from entryproxy.config.kubernetes import resources
from entryproxy.config.kubernetes.decode import Decoded, decode_document
from entryproxy.config.kubernetes.listing import list_all
from entryproxy.config.kubernetes.resources import Resource
from entryproxy.controller.inventory import take_inventory
from entryproxy.controller.metadata import Metadata, list_metadata
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import FORBIDDEN, ApiError
from entryproxy.model.finding import Finding
from entryproxy.model.objects import TENANT_LABEL, LabelledConfigMap, LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.provision.inventory import Inventory

PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets", "Service": "services"}
_DRY_RUN = {"dryRun": "All"}


class ClusterAccess:
    """A client, and the entry's namespace. Every method raises CommandError; what `client` is asked raises ApiError."""

    def __init__(self, client: ClusterClient, namespace: str) -> None:
        self.namespace = namespace
        self.client = client

    async def read(self) -> Reading:
        """All that the entry would read, once. EndpointSlices are left out where they may not be listed, as by most
        operators in all namespaces, with a finding if a tenant wants them."""
        decoded = await self._list_all(resources.config_maps(self.namespace))
        decoded += await self._list_all(resources.secrets(self.namespace))
        if not decoded:
            await self.check_namespace()
        findings = [one.problem for one in decoded if one.problem is not None]
        try:
            decoded += await self._list_slices()
        except ApiError as error:
            if any(_wants_slices(one.object) for one in decoded):
                findings.append(_without_slices(error))
        return Reading(
            changed=tuple(one.object for one in decoded if one.object is not None),
            findings=tuple(findings),
            unread=frozenset(one.reference for one in decoded if one.problem is not None),
        )

    async def take_inventory(self) -> Inventory:
        """What gateways of the whole cluster may collide over, as far as it may be read."""
        return await take_inventory(self.client, self.namespace)

    async def get(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, None when there is none. namespace: "" for the entry's."""
        action = self._action("get", PLURALS[kind], name, namespace)
        with attempt(action):
            try:
                return decode_document(await self.client.get(_path(action)))
            except ApiError as error:
                if error.status == NOT_FOUND:
                    return None
                raise

    async def is_missing(self, kind: str, namespace: str, name: str) -> bool:
        """Whether there is certainly none: who may not look can't tell."""
        try:
            return await self.get(kind, name, namespace) is None
        except CommandError:
            return False

    async def list_of(self, kind: str, tenant: str) -> list[Manifest]:
        """Every object of this kind with the tenant's label, of any type, sorted by name."""
        action = self._action("list", PLURALS[kind])
        found: list[Manifest] = []
        with attempt(action):
            async for page in self.client.list(_path(action), {"labelSelector": f"{TENANT_LABEL}={tenant}"}):
                found += decode_document(page).get("items") or []
        # Lists leave it out of their items.
        return sorted(({**one, "kind": kind} for one in found), key=lambda one: str(one["metadata"]["name"]))

    async def list_metadata(self, kind: str, tenant: str = "") -> list[Metadata]:
        """Of every object of this kind with the tenant's label, those that are being deleted included. tenant: "" for
        any."""
        action = self._action("list", PLURALS[kind])
        with attempt(action):
            labels = f"{TENANT_LABEL}={tenant}" if tenant else TENANT_LABEL
            return await list_metadata(self.client, _path(action), labels=labels)

    async def apply(self, manifest: Manifest, *, dry_run: bool) -> Manifest:
        """Server-side apply; the object as it is, or would be, stored."""
        action = self._action("patch", PLURALS[manifest["kind"]], manifest["metadata"]["name"])
        query = _DRY_RUN if dry_run else {}
        with attempt(action):
            body = msgspec.json.encode(manifest)
            return decode_document(await self.client.apply(_path(action), body, FIELD_MANAGER, query))

    async def delete(self, manifest: Manifest, *, dry_run: bool) -> bool:
        """Delete this very object, not one that has taken its name since; False when it is gone already."""
        metadata = manifest["metadata"]
        action = self._action("delete", PLURALS[manifest["kind"]], metadata["name"])
        query = {"uid": str(metadata["uid"]), **(_DRY_RUN if dry_run else {})}
        with attempt(action):
            try:
                await self.client.delete(_path(action), query)
            except ApiError as error:
                if error.status == NOT_FOUND:
                    return False
                raise
        return True

    async def check_namespace(self) -> None:
        """An empty list tells nothing: the API server gives one for a namespace that doesn't exist, too."""
        action = Action(verb="get", resource="namespaces", name=self.namespace, server=self.client.server)
        with attempt(action):
            try:
                await self.client.get(f"/api/v1/namespaces/{self.namespace}")
            except ApiError as error:
                if error.status != FORBIDDEN:
                    raise

    async def _list_all(self, resource: Resource) -> list[Decoded]:
        with attempt(self._action("list", resource.plural)):
            return await self._list_again(resource)

    async def _list_slices(self) -> list[Decoded]:
        resource = resources.endpoint_slices()
        action = Action(verb="list", resource=resource.plural, group=resource.group, server=self.client.server)
        with attempt(action, passed=(FORBIDDEN,)):
            return await self._list_again(resource)

    async def _list_again(self, resource: Resource) -> list[Decoded]:
        """A list whose pages expired while it was read is read at once, as the API advises."""
        try:
            decoded, _ = await list_all(self.client, resource)
        except ApiError as error:
            if not error.is_gone:
                raise
            decoded, _ = await list_all(self.client, resource, is_paged=False)
        return decoded

    def _action(self, verb: str, resource: str, name: str = "", namespace: str = "") -> Action:
        return Action(
            verb=verb,
            resource=resource,
            name=name,
            namespace=namespace or self.namespace,
            server=self.client.server,
        )


def _path(action: Action) -> str:
    collection = f"/api/v1/namespaces/{action.namespace}/{action.resource}"
    return f"{collection}/{action.name}" if action.name else collection


def _wants_slices(one: LabelledObject | None) -> bool:
    return isinstance(one, LabelledConfigMap) and any("endpoints" in text for text in one.data.values())


def _without_slices(error: ApiError) -> Finding:
    resource = resources.endpoint_slices()
    return Finding(
        severity="warning",
        reason="Forbidden",
        object=resource.reference,
        field="",
        message=f"Left out, you may not list {resource.permission}: gateways with balance: endpoints look as if they "
        f"had no pods ({error.message})",
    )
