"""The tenants in force, by the same source and the same compiler as the entry's, and what each wants provisioned."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from typing import Protocol

import msgspec

from entryproxy.compiler.compile import Compiler
from entryproxy.compiler.documents import ParseYaml
from entryproxy.compiler.findings import Rejected
from entryproxy.compiler.provisioning import read_tenant_spec
from entryproxy.compiler.tenants import DOCUMENT
from entryproxy.model.finding import Finding
from entryproxy.model.objects import CONFIG_MAP, LabelledConfigMap, LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.status import document_digest
from entryproxy.model.tenant import Tenant, TenantSpec

_log = logging.getLogger(__name__)


class Source(Protocol):
    """What is asked of `config.kubernetes.source.KubernetesSource`."""

    def load(self) -> Reading: ...

    def watch(self) -> AsyncIterator[float]: ...


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant in force. namespace, name, uid, created: of its ConfigMap; created is RFC 3339. document: the digest of
    its `tenant.yaml`."""

    tenant: str
    namespace: str
    name: str
    uid: str
    created: str
    spec: TenantSpec
    document: str = ""

    @property
    def source(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def age(self) -> tuple[str, str, str]:
        """Older ones come first, as in the rules of routing."""
        return self.created, self.namespace, self.name

    @property
    def wants_release(self) -> bool:
        return self.spec.release is not None and self.spec.release.enabled


class Tenants:
    """Follows the source. by_id: the tenants in force; one whose document can't be read any more keeps what it wanted.

    complete: set once all tenants have been seen and told of; before that, nobody is missing.
    """

    def __init__(
        self,
        source: Source,
        parse_yaml: ParseYaml,
        on_change: Callable[[Set[str]], None],
        on_findings: Callable[[Sequence[Finding]], None],
    ) -> None:
        """on_change: gets the ids of tenants that may be others than before, or gone. on_findings: all there are."""
        self.by_id: dict[str, Wanted] = {}
        self.complete = asyncio.Event()
        self._source = source
        self._parse_yaml = parse_yaml
        self._compiler = Compiler(parse_yaml, endpoints_known=True)
        self._on_change = on_change
        self._on_findings = on_findings
        self._objects: dict[str, LabelledObject] = {}
        self._standing = Reading()

    def uid_of(self, reference: str) -> str:
        """Of an object that was read, "" of any other. reference: "Kind namespace/name"."""
        found = self._objects.get(reference)
        return found.uid if found is not None else ""

    async def follow(self) -> None:
        """As long as the source lives, which is for ever."""
        async for _ in self._source.watch():
            self._take(self._source.load())

    def judge_again(self) -> None:
        """What the time has changed: certificates begin and end without any change of an object."""
        if self.complete.is_set():
            self._take(self._standing)

    def _take(self, reading: Reading) -> None:
        for reference in reading.removed:
            self._objects.pop(reference, None)
        self._objects |= {one.reference: one for one in reading.changed}
        compilation = self._compiler.compile(reading, time.time())
        self._standing = msgspec.structs.replace(reading, changed=(), removed=())
        changed = {tenant for tenant in compilation.touched if self._want(tenant, compilation.tenants.get(tenant))}
        self._on_findings((*reading.findings, *compilation.findings))
        if changed:
            self._on_change(changed)
        if "" not in reading.unread:
            self.complete.set()

    def _want(self, tenant: str, in_force: Tenant | None) -> bool:
        """Take note of what it wants; whether that is news. A status that we have written isn't; of one that is not in
        force a ConfigMap may be going that holds it from before."""
        before = self.by_id.get(tenant)
        self._take_wish(tenant, in_force.source if in_force is not None else "")
        after = self.by_id.get(tenant)
        return after is None or after != before

    def _take_wish(self, tenant: str, source: str) -> None:
        config_map = self._objects.get(f"{CONFIG_MAP} {source}")
        if not isinstance(config_map, LabelledConfigMap):
            self.by_id.pop(tenant, None)
            return
        try:
            spec = read_tenant_spec(config_map, self._parse_yaml)
        except Rejected as problem:  # the compiler has said so; its last good version is in force
            _log.info("tenant %s stays as it is: %s of %s is rejected", tenant, problem.field, config_map.reference)
            if tenant in self.by_id and self.by_id[tenant].uid != config_map.uid:
                del self.by_id[tenant]  # which another ConfigMap wanted
            return
        self.by_id[tenant] = Wanted(
            tenant=tenant,
            namespace=config_map.namespace,
            name=config_map.name,
            uid=config_map.uid,
            created=config_map.created,
            spec=spec,
            document=document_digest(config_map.data.get(DOCUMENT, "")),
        )


def is_oldest_sharer(wanted: Wanted, tenants: Mapping[str, Wanted]) -> bool:
    """Of the tenants in force whose releases share its namespace."""
    return all(wanted.age <= one.age for one in tenants.values() if _shares(one, wanted))


def _shares(one: Wanted, other: Wanted) -> bool:
    release = one.spec.release
    same = one.spec.gateway.namespace == other.spec.gateway.namespace
    return release is not None and release.enabled and release.isolation == "shared" and same
