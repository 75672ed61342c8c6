"""Against the real API server, which decides who was first; the fault proxy stands between it and one candidate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from entryproxy.controller.lease import Elector, FenceError
from entryproxy.kubernetes.client import ClusterClient, connect
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import failure

DURATION_SECONDS = 3
FENCE_SECONDS = 1.5
RENEW_SECONDS = 0.1
MakeElector = Callable[[str, ClusterClient], Elector]


class Log:
    """Who works, in order; two at once are an error."""

    def __init__(self) -> None:
        self.working: list[str] = []
        self.history: list[str] = []

    def work_of(self, name: str) -> Callable[[], object]:
        async def work() -> None:
            assert self.working == [], f"{name} begins beside {self.working}"
            self.working.append(name)
            self.history.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.working.remove(name)

        return work

    async def until(self, *history: str) -> None:
        async with asyncio.timeout(20):
            while self.history != list(history):
                await asyncio.sleep(0.01)

    async def until_nobody(self) -> None:
        async with asyncio.timeout(20):
            while self.working:
                await asyncio.sleep(0.01)


@pytest.fixture
def fault_proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster) as proxy:
        yield proxy


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with await connect(str(cluster.admin_kubeconfig)) as one:
        yield one


@pytest.fixture
def make(namespace: str) -> MakeElector:
    def make(identity: str, client: ClusterClient) -> Elector:
        return Elector(
            client,
            namespace,
            "controller",
            identity,
            duration_seconds=DURATION_SECONDS,
            renew_seconds=RENEW_SECONDS,
            fence_seconds=FENCE_SECONDS,
        )

    return make


@asynccontextmanager
async def running(elector: Elector, log: Log) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(elector.run(log.work_of(elector.identity)))  # type: ignore[arg-type]
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_of_three_leads_and_gives_the_lease_back(
    client: ClusterClient, make: MakeElector, cluster: Cluster, namespace: str
) -> None:
    log = Log()
    async with running(make("a", client), log):
        await log.until("a")
        async with running(make("b", client), log) as second:
            await asyncio.sleep(5 * RENEW_SECONDS)
            assert log.history == ["a"]
            lease = cluster.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/controller")["spec"]
            assert (lease["holderIdentity"], lease["leaseDurationSeconds"]) == ("a", DURATION_SECONDS)
            assert lease["acquireTime"] < lease["renewTime"]
            assert not second.done()
    assert log.history == ["a"]
    async with running(make("c", client), log):
        await log.until("a", "c")  # at once: it was given back
    assert log.working == []


async def test_a_leader_that_vanishes_is_followed_after_the_leases_time(
    client: ClusterClient, make: MakeElector, cluster: Cluster, namespace: str
) -> None:
    log = Log()
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    spec = {"holderIdentity": "vanished", "leaseDurationSeconds": 1, "renewTime": "2099-01-01T00:00:00.000000Z"}
    meta = {"name": "controller", "namespace": namespace}
    cluster.api.post(path, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec})
    began = asyncio.get_running_loop().time()
    async with running(make("a", client), log):
        await log.until("a")
        assert asyncio.get_running_loop().time() - began >= 1.0, "the whole duration, whatever its clock said"
        assert cluster.api.get(f"{path}/controller")["spec"]["leaseTransitions"] == 1


@pytest.mark.parametrize("fault", ["silence", "refusal"])
async def test_a_leader_that_cannot_renew_stops_before_another_begins(
    fault: str, client: ClusterClient, make: MakeElector, fault_proxy: FaultProxy, cluster: Cluster, tmp_path: Path
) -> None:
    log = Log()
    account = cluster.service_account_kubeconfig("default", "elector", fault_proxy.url)
    cluster.kubectl(
        *("create", "clusterrolebinding", f"elector-{tmp_path.name}", "--clusterrole=cluster-admin"),
        "--serviceaccount=default:elector",
    )
    async with (
        await connect(str(account.kubeconfig)) as cut_off,
        running(make("a", cut_off), log),
    ):
        await log.until("a")
        async with running(make("b", client), log):
            if fault == "silence":
                await asyncio.to_thread(fault_proxy.stall)
            else:
                await asyncio.to_thread(lambda: fault_proxy.inject(failure(500), times=None))
            await log.until_nobody()
            assert log.history == ["a"]
            await log.until("a", "b")
            await asyncio.to_thread(fault_proxy.heal)
            await asyncio.sleep(5 * RENEW_SECONDS)
            assert log.working == ["b"]
        await log.until("a", "b", "a")


async def test_work_that_returns_or_fails_ends_the_candidacy(client: ClusterClient, make: MakeElector) -> None:
    async def fail() -> None:
        raise ValueError("the work's own")

    async def succeed() -> None:
        pass

    async with asyncio.timeout(20):
        with pytest.raises(ValueError, match="the work's own"):
            await make("a", client).run(fail)
        await make("b", client).run(succeed)


async def test_work_that_does_not_end_in_time_is_an_error(
    client: ClusterClient, make: MakeElector, cluster: Cluster, namespace: str
) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if is_over:
                    raise

    is_over = False
    candidacy = asyncio.ensure_future(make("a", client).run(stubborn))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/controller"
    async with asyncio.timeout(20):
        while not candidacy.done():
            with contextlib.suppress(ApiError):
                lease = cluster.api.get(path)
                lease["spec"]["holderIdentity"] = "somebody else"
                cluster.api.put(path, lease)
            await asyncio.sleep(0.05)
        with pytest.raises(FenceError):
            await candidacy
    is_over = True
