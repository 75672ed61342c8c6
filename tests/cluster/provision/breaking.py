"""What breaks controllers off in the middle of their work, and what may never be seen meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.cluster.cluster import Cluster
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Fault, Injection, Request, Selector, Silent
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import Background, wait_until

LEASE_SECONDS = 4
OPTIONS = ("--resync-seconds", "2", "--operation-seconds", "30", "--lease-seconds", str(LEASE_SECONDS))
LEASE = "entryproxy-controller"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_CLOSING_SECONDS = 0.25
"""aiohttp doesn't wait for the end of TLS connections that it closes; its documentation says to wait this long."""


class Histories:
    """Every change of every release's revisions, as the API server tells them; a context manager.

    doubles: releases that had several deployed revisions at once, with them. made: revisions in the order in which they
    were made, again when one of the same number is made anew.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.doubles: list[tuple[str, list[int]]] = []
        self.made: list[tuple[str, int]] = []
        self._cluster = cluster
        self._statuses: defaultdict[str, dict[int, str]] = defaultdict(dict)
        self._background = Background()
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        self._work = asyncio.run_coroutine_threadsafe(self._follow(), self._background.loop)
        assert self._listening.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_over = self._work.done()
        self._background.close()
        assert not is_over, "the watch ended, so nobody looked"

    def of(self, tenant: str) -> list[int]:
        """Numbers of the revisions that were made, in that order."""
        return [number for name, number in self.made if name == tenant]

    async def _follow(self) -> None:
        fields = {"Authorization": f"Bearer {self._cluster.admin_token}", "Accept": _METADATA}
        query = {"watch": "1", "labelSelector": "owner=helm"}
        endless = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=self._cluster.authority.context())
        try:
            async with (
                aiohttp.ClientSession(self._cluster.url, connector=connector, headers=fields) as session,
                session.get("/api/v1/secrets", params=query, timeout=endless) as answer,
            ):
                answer.raise_for_status()
                self._listening.set()
                async for line in answer.content:
                    self._see(json.loads(line))
        finally:
            await asyncio.sleep(_CLOSING_SECONDS)

    def _see(self, event: Any) -> None:
        labels = event["object"]["metadata"]["labels"]
        name, number = str(labels["name"]), int(labels["version"])
        statuses = self._statuses[name]
        if event["type"] == "ADDED":
            self.made.append((name, number))
        if event["type"] == "DELETED":
            statuses.pop(number, None)
        else:
            statuses[number] = labels["status"]
        deployed = [one for one, status in statuses.items() if status == "deployed"]
        if len(deployed) > 1:
            self.doubles.append((name, deployed))


class Controllers:
    """Those of a place, whose only way to the API server is a fault proxy. All that still run are killed in the end."""

    def __init__(self, place: Place, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self._place = place
        account = place.controller_account
        self._account = place.cluster.service_account_kubeconfig(account.namespace, account.name, proxy.url)
        self._started: list[RunningController] = []

    def start(self, identity: str = "one", *options: str) -> RunningController:
        """A controller that is ready, with a short lease. One of the same identity takes up another's lease at once."""
        place = self._place
        controller = RunningController(
            self._account.kubeconfig,
            place.namespace,
            place.folder,
            place.charts,
            *(*OPTIONS, *options),
            identity=identity,
        )
        self._started.append(controller)
        return controller.wait_ready()

    def helms(self, identity: str = "one") -> list[int]:
        """Processes of Helm, and of what it starts, that controllers of this name have left or are waiting for."""
        mark = str(self._place.folder / f"work-{identity}").encode()
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if mark in _environment(folder)]

    def kill(self, controller: RunningController, identity: str = "one") -> None:
        """SIGKILL, which nothing that it started survives."""
        controller.kill()
        wait_until(lambda: not self.helms(identity), "Helm outlives its controller")

    def close(self) -> None:
        for controller in self._started:
            if not controller.has_ended:
                controller.thaw()
                controller.kill()
            stumbles = [line for line in controller.stumbles() if "FenceError" not in line]  # which is an end as well
            assert not stumbles, controller.last_words()


@contextlib.contextmanager
def stopped_at(proxy: FaultProxy, selector: Selector, fault: Fault = Silent()) -> Iterator[Injection]:  # noqa: B008
    """Requests that are meant meet the fault meanwhile."""
    injection = proxy.inject(fault, selector, times=None)
    try:
        yield injection
    finally:
        proxy.withdraw(injection)


def wait_for_fault(injection: Injection, controller: RunningController) -> None:
    """Until the first request has met it."""
    try:
        wait_until(lambda: injection.used > 0, "", SECONDS)
    except AssertionError:
        raise AssertionError(f"no such request:\n{controller.last_words()}") from None


def of_tenant(tenant: str, method: str = "", part: str = "") -> Selector:
    """Requests in the namespace of a tenant's release, whose path has `part`."""
    namespace = f"/namespaces/{tenant}-gateway/"
    return lambda request: namespace in request.path and part in request.path and method in ("", request.method)


def from_the(number: int, selector: Selector) -> Selector:
    """Of those that are meant, from the so-manieth on, which counts from 1."""
    seen = 0

    def is_meant(request: Request) -> bool:
        nonlocal seen
        seen += selector(request)
        return selector(request) and seen >= number

    return is_meant


def release_with(replicas: int) -> dict[str, object]:
    return {"profile": "dev", "values": {"gateway": {"replicas": replicas}}}


def wait_until_settled(place: Place, tenant: str, replicas: int) -> int:
    """Until the release with so many gateways is the one that is deployed, and told to be; its revision."""

    def is_settled() -> bool:
        history, status = place.history(tenant), place.status(tenant)
        if not history or history[-1][1] != "deployed" or status is None:
            return False
        is_told = status.phase == "Ready" and status.revision == history[-1][0]
        return is_told and place.values(tenant)["gateway"]["replicas"] == replicas

    try:
        wait_until(is_settled, "", SECONDS)
    except AssertionError:
        raise AssertionError(f"{tenant} never settles: {place.history(tenant)}, {place.status(tenant)}") from None
    deployed = [number for number, status in place.history(tenant) if status == "deployed"]
    assert len(deployed) == 1, place.history(tenant)
    assert gateways(place, tenant) == replicas
    return deployed[0]


def gateways(place: Place, tenant: str) -> int:
    """Replicas of the Deployment that is there."""
    path = f"/apis/apps/v1/namespaces/{tenant}-gateway/deployments/higress-gateway"
    return int(place.cluster.api.get(path)["spec"]["replicas"])


def objects(place: Place, tenant: str) -> dict[tuple[str, str], str]:
    """Every object of the deployed manifest by kind and name, with its uid; raises CommandError if one isn't there."""
    scope = ("--namespace", f"{tenant}-gateway")
    manifest = place.cluster.helm("get", "manifest", tenant, *scope)
    found = json.loads(place.cluster.kubectl("get", "--filename", "-", "--output", "json", *scope, input=manifest))
    return {(one["kind"], one["metadata"]["name"]): one["metadata"]["uid"] for one in found["items"]}


def lease_holder(place: Place) -> str:
    """ "" for nobody."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{place.namespace}/leases"
    leases = place.cluster.api.get(path)["items"]
    return "".join(one["spec"].get("holderIdentity", "") for one in leases if one["metadata"]["name"] == LEASE)


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # it is somebody else's, or has just ended
        return b""
