"""A tenant's gateway on the real API server: its namespace made by us, its release by Helm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from entryproxy.controller.drift import Drift
from entryproxy.controller.helm.command import DESCRIPTION
from entryproxy.controller.own_objects import FIELD_MANAGER
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.credentials import load_credentials
from entryproxy.model.release import Isolation, NamespaceSpec, QuotaSpec
from entryproxy.provision.digests import DIGEST_LABEL
from entryproxy.provision.objects import Surroundings, namespace_objects
from entryproxy.provision.state import Desired, DesiredRelease, Reference, Revision
from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.cluster import Cluster
from tests.e2e.gateways import wait_until

GATEWAY = "higress-gateway"
RBAC = "rbac.authorization.k8s.io/v1"
CONFIG_MAP = "higress-config"


class RecordingClient(ClusterClient):
    """Keeps what was asked for. listed: paths of collections; received: how many objects came of them; tried: paths of
    dry runs; read: of whole objects; written: of the others."""

    listed: list[str]
    received: int
    tried: list[str]
    read: list[str]
    written: list[str]

    def clear(self) -> None:
        self.listed, self.tried, self.read, self.written = [], [], [], []
        self.received = 0

    async def list(
        self, path: str, query: Mapping[str, str] = {}, *, metadata_only: bool = False
    ) -> AsyncGenerator[bytes, None]:
        self.listed.append(path)
        async for page in super().list(path, query, metadata_only=metadata_only):
            self.received += len(msgspec.json.decode(page)["items"] or ())
            yield page

    async def get(self, path: str, query: Mapping[str, str] = {}, bytes_max: int | None = None) -> bytes:
        self.read.append(path)
        return await super().get(path, query, bytes_max)

    async def apply(
        self,
        path: str,
        body: bytes,
        field_manager: str,
        query: Mapping[str, str] = {},
    ) -> bytes:
        (self.tried if "dryRun" in query else self.written).append(path)
        return await super().apply(path, body, field_manager, query)


@asynccontextmanager
async def recording_client(cluster: Cluster) -> AsyncIterator[RecordingClient]:
    async with RecordingClient(await load_credentials(str(cluster.admin_kubeconfig), "")) as client:
        client.clear()
        yield client


class Installed:
    """One tenant's. `tenant` is its release's name and its IngressClass's as well."""

    def __init__(self, cluster: Cluster, tenant: str) -> None:
        self.cluster = cluster
        self.tenant = tenant
        self.namespace = f"{tenant}-gateway"

    def desired(self, namespace: str = "", isolation: Isolation = "namespace", digest: str = "D1") -> Desired:
        namespace = namespace or self.namespace
        around = Surroundings(
            tenant=self.tenant,
            namespace=namespace,
            source=f"entry/{self.tenant}",
            entry_namespace="entry",
            isolation=isolation,
            gateway_name=GATEWAY,
            ports=(80, 443),
        )
        spec = NamespaceSpec(quota=QuotaSpec(storage="1Gi"), admins=("group:admins",))
        return Desired(
            tenant=self.tenant,
            source=around.source,
            uid="",
            namespace=namespace,
            objects=namespace_objects(around, spec),
            release=DesiredRelease(
                name=self.tenant,
                namespace=namespace,
                chart="",
                version="2.2.1",
                values={},
                digest=digest,
                gateway="higress-gateway",
            ),
        )

    async def make_objects(self, client: ClusterClient, desired: Desired) -> None:
        drift = Drift(client)
        for manifest in desired.objects:
            await drift.apply(manifest, FIELD_MANAGER)

    def install(self, namespace: str = "", *settings: str, digest: str = "D1") -> None:
        """Install or upgrade; a failing Helm raises CommandError."""
        self.cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
        self.cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
        values = [f"global.ingressClass={self.tenant}", "gateway.unprivilegedPortSupported=true", *settings]
        self.cluster.helm(
            *("upgrade", "--install", self.tenant, str(chart()), "--namespace", namespace or self.namespace),
            *("--skip-crds", "--force-conflicts", "--server-side=true"),
            *(["--labels", f"{DIGEST_LABEL}={digest}", "--description", DESCRIPTION] if digest else []),
            *(part for one in values for part in ("--set", one)),
        )

    def revision(self, number: int = 1) -> Revision:
        return Revision(number=number, status="deployed", digest="D1", created=float(number))

    def reference(self, group_version: str, kind: str, name: str, namespace: str | None = None) -> Reference:
        return Reference(group_version, kind, self.namespace if namespace is None else namespace, name)

    @property
    def cluster_role(self) -> Reference:
        return Reference(RBAC, "ClusterRole", "", f"higress-controller-{self.namespace}")

    @property
    def ingress_class(self) -> Reference:
        return Reference("networking.k8s.io/v1", "IngressClass", "", self.tenant)

    def path(self, plural: str, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}/{name}"

    def deployment(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{GATEWAY}"

    def exists(self, reference: Reference) -> bool:
        scope = ["--namespace", reference.namespace] if reference.namespace else []
        return bool(self.cluster.kubectl("get", reference.kind, reference.name, *scope, "--ignore-not-found"))

    def helm_revisions(self) -> list[int]:
        history = self.cluster.helm("history", self.tenant, "--namespace", self.namespace, "--output=json")
        return [one["revision"] for one in msgspec.json.decode(history)]

    async def wait_for_status(self) -> None:
        """Until no controller writes to the Deployments any more: their pods were made, and none of them will run."""
        stamps: list[tuple[str, str]] = []
        for _ in range(100):
            await asyncio.sleep(0.2)
            items = self.cluster.api.get(self.deployment().rpartition("/")[0])["items"]
            seen = [(one["metadata"]["resourceVersion"], one["spec"]["replicas"]) for one in items]
            is_made = all(one["status"].get("updatedReplicas") == one["spec"]["replicas"] for one in items)
            if is_made and seen == stamps:
                return
            stamps = seen
        raise AssertionError("the Deployments' status never settles")

    def make_ready(self) -> None:
        """As a kubelet would: every pod of the gateway's Deployment is running and ready."""
        wait_until(self._mark_pods, "no pods of the gateway")
        wait_until(lambda: self._status().get("availableReplicas", 0) >= 1, "the gateway isn't available")

    def _mark_pods(self) -> bool:
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        names = [one["metadata"]["name"] for one in self.cluster.api.get(pods)["items"]]
        for name in names:
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            self.cluster.api.patch(f"{pods}/{name}/status", {"status": status}, "strategic-merge-patch")
        return any(name.startswith(GATEWAY) for name in names)

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.cluster.api.get(self.deployment()).get("status", {})
        return status
