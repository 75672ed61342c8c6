"""A kubelet and a scheduler without containers: pods of Deployments become ready, and go when they are deleted.

Everything in between is done by the real controllers: ReplicaSets count these pods, Deployments become available by
them, EndpointSlices follow. With the pod of a Higress controller come the objects that it makes at run time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.cluster.api import ApiError, collection_path
from tests.cluster.cluster import Cluster
from tests.e2e.gateways import Background

NODE = "played"
_LINE_BYTES_MAX = 1 << 20
_RETRY_SECONDS = 0.1
_LOOK_SECONDS = 0.05
_CLOSING_SECONDS = 0.25
"""aiohttp doesn't wait for the end of TLS connections that it closes; its documentation says to wait this long."""
_GONE = (403, 404, 409)
"""A pod or its namespace ended while we were at it, or what we make is there already."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """Which pods never become ready; "" for any. deployment: its name; image: a part of one of its images."""

    namespace: str = ""
    deployment: str = ""
    image: str = ""

    def hits(self, pod: Any) -> bool:
        metadata = pod["metadata"]
        return (
            self.namespace in ("", metadata["namespace"])
            and (not self.deployment or metadata["generateName"].rsplit("-", 2)[0] == self.deployment)
            and any(self.image in one["image"] for one in pod["spec"]["containers"])
        )


class Kubelet:
    """Serves every namespace while it lives; a context manager.

    delay_seconds: what a pod takes to become ready. addresses: of all pods in a namespace, where one is wanted; others
    get one that leads nowhere.
    """

    def __init__(self, cluster: Cluster, delay_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.addresses: dict[str, str] = {}
        self._cluster = cluster
        self._faults: tuple[Fault, ...] = ()
        self._pending: set[str] = set()
        self._numbers = itertools.count(1)
        self._background = Background()
        self._work: Any = None

    def __enter__(self) -> Self:
        with contextlib.suppress(ApiError):  # it is there already
            self._cluster.api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        self._work = asyncio.run_coroutine_threadsafe(self._run(), self._background.loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._work.done():
            self._work.result()  # it never ends by itself but by an error
        self._background.close()

    # -- faults

    @contextlib.contextmanager
    def failing(self, *, namespace: str = "", deployment: str = "", image: str = "") -> Iterator[None]:
        """Pods that are made meanwhile don't become ready before the end of it; those that are ready stay so."""
        fault = Fault(namespace, deployment, image)
        self._faults = (*self._faults, fault)
        try:
            yield
        finally:
            left = list(self._faults)
            left.remove(fault)
            self._faults = tuple(left)

    # -- pods

    async def _run(self) -> None:
        fields = {"Authorization": f"Bearer {self._cluster.admin_token}"}
        connector = aiohttp.TCPConnector(limit=16, ssl=self._cluster.authority.context())
        try:
            async with (
                aiohttp.ClientSession(
                    self._cluster.url, connector=connector, headers=fields, read_bufsize=_LINE_BYTES_MAX
                ) as session,
                asyncio.TaskGroup() as group,
            ):
                while True:
                    try:
                        await self._follow(session, group)
                    except aiohttp.ClientError:  # the API server is away
                        await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await asyncio.sleep(_CLOSING_SECONDS)

    async def _follow(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        async with session.get("/api/v1/pods") as answer:
            answer.raise_for_status()
            listed = await answer.json()
        for pod in listed["items"]:
            self._see(pod, session, group)
        query = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
        endless = aiohttp.ClientTimeout(total=None)
        async with session.get("/api/v1/pods", params=query, timeout=endless) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                if event["type"] == "DELETED":
                    self._pending.discard(event["object"]["metadata"]["uid"])
                else:
                    self._see(event["object"], session, group)

    def _see(self, pod: Any, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        metadata, node = pod["metadata"], pod["spec"].get("nodeName")
        if "deletionTimestamp" in metadata and node == NODE:
            group.create_task(self._end(pod, session))
        elif node is None and _is_of_a_deployment(pod) and metadata["uid"] not in self._pending:
            self._pending.add(metadata["uid"])
            group.create_task(self._start(pod, session))

    async def _start(self, pod: Any, session: aiohttp.ClientSession) -> None:
        metadata = pod["metadata"]
        await asyncio.sleep(self.delay_seconds)
        while metadata["uid"] in self._pending and any(fault.hits(pod) for fault in self._faults):
            await asyncio.sleep(_LOOK_SECONDS)
        if metadata["uid"] not in self._pending:
            return
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": metadata["name"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
        }
        if not await self._send(session, "POST", f"{_path(pod)}/binding", binding):
            return
        await self._send(session, "PATCH", f"{_path(pod)}/status", {"status": self._status(metadata["namespace"])})
        self._pending.discard(metadata["uid"])
        if any(one["name"] == "higress-core" for one in pod["spec"]["containers"]):
            for document in run_time_objects(metadata["namespace"]):
                await self._send(session, "POST", collection_path(document), document)

    async def _end(self, pod: Any, session: aiohttp.ClientSession) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        await self._send(session, "DELETE", _path(pod), options)

    async def _send(self, session: aiohttp.ClientSession, method: str, path: str, document: Any) -> bool:
        """False when it came too late."""
        kind = "application/strategic-merge-patch+json" if method == "PATCH" else "application/json"
        body, fields = json.dumps(document), {"Content-Type": kind}
        while True:
            try:
                async with session.request(method, path, data=body, headers=fields) as answer:
                    if answer.status not in _GONE:
                        answer.raise_for_status()
                    return answer.ok
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(_RETRY_SECONDS)

    def _status(self, namespace: str) -> Any:
        number = next(self._numbers)
        address = self.addresses.get(namespace) or f"203.0.{113 + number // 250 % 100}.{1 + number % 250}"
        conditions = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        return {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": one, "status": "True"} for one in conditions],
        }


def run_time_objects(namespace: str) -> list[dict[str, Any]]:
    """What a Higress controller makes in its own namespace, outside Helm and without any mark of whose it is."""

    def one(api_version: str, kind: str, name: str, **body: Any) -> dict[str, Any]:
        return {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            **body,
        }

    return [
        one("v1", "ConfigMap", "higress-ca-root-cert", data={"root-cert.pem": "none"}),
        one("v1", "ConfigMap", "higress-https", data={"cert": "none"}),
        one("v1", "Secret", "istio-ca-secret", type="istio.io/ca-root", stringData={"ca-key.pem": "none"}),
        one("coordination.k8s.io/v1", "Lease", "higress-leader", spec={"holderIdentity": "none"}),
    ]


def _is_of_a_deployment(pod: Any) -> bool:
    return any(owner["kind"] == "ReplicaSet" for owner in pod["metadata"].get("ownerReferences", ()))


def _path(pod: Any) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
