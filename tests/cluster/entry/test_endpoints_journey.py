"""`balance: endpoints`: EndpointSlices that real controllers make of Services and pods, and real gateways behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.entry.conftest import ZONE, add_tenant, follow_again
from tests.cluster.entry.site import Site
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import both, empty_list, failure, is_list, is_watch, of
from tests.cluster.pods import FakePod, run_fake_pod
from tests.e2e.gateways import Background, Exchange, Gateway, wait_until
from tests.e2e.harness import LABEL, SYSTEM_DOMAIN, Entry
from tests.e2e.probes import status

SECONDS = 10.0
REQUESTS = 40
"""So many in a row that go elsewhere say that none would come."""

pytestmark = pytest.mark.usefixtures("undisturbed")


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """A pod, and the gateway that runs in it."""

    pod: FakePod
    gateway: Gateway


class PodsOf:
    """A tenant whose gateway is a Service with pods at 127.0.0.11 and on."""

    def __init__(self, site: Site, entry: Entry, background: Background, tenant: str, port: int | str) -> None:
        """port: as tenant.yaml names it."""
        self.site = site
        self.entry = entry
        self.tenant = tenant
        self.host = f"app1.{tenant}.{SYSTEM_DOMAIN}"
        self.namespace = site.cluster.new_namespace("gateways")
        self.peers: list[Peer] = []
        self._background = background
        self._make_service()
        spec = {"namespace": self.namespace, "balance": "endpoints", "port": port}
        site.tenant(tenant, gateway=spec)
        site.certificate(f"{tenant}-wildcard", tenant, site.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}"))

    def add(self, port: int = 0, *, ready: bool = True, zone: str | None = None) -> Peer:
        """A pod more; port: where it listens, 0 for anywhere."""
        number = 11 + len(self.peers)
        gateway = Gateway(self._background, host=f"127.0.0.{number}", port=port)
        address = f"198.51.100.{number}"
        pod = run_fake_pod(
            self.site.cluster, self.namespace, {"app": "gateway"}, address, ready=ready, zone=zone,
            ports={"web": gateway.port},
        )  # fmt: skip
        self.peers.append(Peer(pod, gateway))
        return self.peers[-1]

    def ask(self) -> Peer | None:
        """Who answers a request; None when nobody does."""
        path = f"/asked-{time.monotonic_ns()}"
        if status(self.entry, self.host, path) != 200:
            return None
        (peer,) = [one for one in self.peers if one.gateway.seen(path)]
        return peer

    def wait_for(self, *wanted: Peer | None) -> None:
        """Until exactly these are who answers."""

        def answer() -> bool:
            return {self.ask() for _ in range(REQUESTS)} == set(wanted)

        wait_until(answer, f"{len(wanted)} should answer", SECONDS)

    def label(self, tenant: str | None) -> None:
        """Put our label on the Service, or take it away."""
        path = f"/api/v1/namespaces/{self.namespace}/services/higress-gateway"
        self.site.cluster.api.patch(path, {"metadata": {"labels": {LABEL: tenant}}})

    def findings(self) -> list[dict[str, Any]]:
        items = json.loads(self.entry.admin(f"/api/findings?tenant={self.tenant}")[1])["items"]
        return [one for one in items if one["reason"] == "NoEndpoints"]

    def close(self) -> None:
        self.site.remove("configmaps", self.tenant)
        self.site.remove("secrets", f"{self.tenant}-wildcard")
        self.site.cluster.api.delete(f"/api/v1/namespaces/{self.namespace}")
        for peer in self.peers:
            peer.gateway.close()
            assert peer.gateway.errors == []

    def _make_service(self) -> None:
        metadata = {"name": "higress-gateway", "namespace": self.namespace, "labels": {LABEL: self.tenant}}
        port = {"name": "http", "port": 80, "targetPort": "web"}
        spec = {"selector": {"app": "gateway"}, "ports": [port]}
        self.site.cluster.api.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


MakePods = Callable[[int | str], PodsOf]


@pytest.fixture
def make_pods(
    cluster: Cluster, site: Site, entry: Entry, background: Background, request: pytest.FixtureRequest
) -> Iterator[MakePods]:
    made: list[PodsOf] = []

    def make(port: int | str) -> PodsOf:
        made.append(PodsOf(site, entry, background, f"pods{time.monotonic_ns()}", port))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_pods_come_and_go(make_pods: MakePods) -> None:
    """By the port's name, which is another number in each of them."""
    pods = make_pods("http")
    first = pods.add()
    pods.wait_for(first)
    second = pods.add(ready=False)
    pods.wait_for(first)
    second.pod.set_ready(True)
    pods.wait_for(first, second)
    first.pod.set_ready(False)
    pods.wait_for(second)
    first.pod.set_ready(True)
    pods.wait_for(first, second)
    second.pod.remove()
    pods.wait_for(first)
    first.pod.set_ready(False)
    pods.wait_for(None)
    assert pods.findings() == []
    with pods.entry.client(pods.host) as client:
        answer = client.get("/")
        assert (answer.status, answer.get("Retry-After") is not None) == (503, True)


def test_a_pod_that_terminates_is_drained(make_pods: MakePods) -> None:
    """What is under way there finishes, what is new goes elsewhere, as long as there is an elsewhere."""

    async def held(exchange: Exchange) -> None:
        await latch.wait()
        await exchange.answer(200, b"finished")

    pods = make_pods("http")
    first = pods.add()
    pods.wait_for(first)
    latch = first.gateway.latch()
    path = first.gateway.script(held)
    with pods.entry.client(pods.host) as client:
        client.send(client.head("GET", path))
        first.gateway.only(path)
        second = pods.add()
        pods.wait_for(first, second)
        first.pod.terminate()
        pods.wait_for(second)
        latch.open()
        assert client.response().body == b"finished"
        assert client.get(f"{path}-next").status == 200
    assert not first.gateway.seen(f"{path}-next")
    first.pod.remove()
    pods.wait_for(second)
    second.pod.terminate()  # better one that still serves than nobody
    pods.wait_for(second)
    second.pod.remove()
    pods.wait_for(None)


def test_by_the_ports_number_and_the_service_without_its_label(make_pods: MakePods) -> None:
    """Without it nothing is known of the pods: that is told, and the Service's name is dialled."""
    port = _port_of_several()
    pods = make_pods(port)
    first, second = pods.add(port), pods.add(port)
    pods.wait_for(first, second)

    pods.label(None)
    wait_until(lambda: pods.findings() != [], "not told", SECONDS)
    (finding,) = pods.findings()
    assert finding["severity"] == "warning"
    assert finding["object"] == f"ConfigMap {pods.site.namespace}/{pods.tenant}"
    assert (
        f"Service {pods.namespace}/higress-gateway has no EndpointSlice with this tenant's label" in finding["message"]
    )
    assert "the Service's name is dialled" in finding["message"]
    pods.wait_for(None)  # there is no DNS here that knows it
    pods.label("somebody-else")
    pods.wait_for(None)
    assert len(pods.findings()) == 1

    pods.label(pods.tenant)
    pods.wait_for(first, second)
    assert pods.findings() == []


def test_a_port_that_no_pod_has(make_pods: MakePods) -> None:
    pods = make_pods("grpc")
    pods.add()
    wait_until(lambda: any('"grpc" is no port' in one["message"] for one in pods.findings()), "not told", SECONDS)
    assert "http" in pods.findings()[0]["message"]
    assert pods.ask() is None


def test_the_entrys_own_zone_first(make_pods: MakePods) -> None:
    """The others when there is nobody in it."""
    pods = make_pods("http")
    near = pods.add(zone=ZONE)
    pods.wait_for(near)
    known = pods.entry.metric("entryproxy_config_generation")
    far = pods.add(zone="zone-far")
    wait_until(lambda: pods.entry.metric("entryproxy_config_generation") > known, "not in force", SECONDS)
    pods.wait_for(near)
    near.pod.set_ready(False)
    pods.wait_for(far)
    near.pod.set_ready(True)
    pods.wait_for(near, far)  # it starts slowly, and leaves some to the other


@pytest.mark.parametrize("status_code", [403, 503])
def test_slices_out_of_reach_when_the_control_process_dies(
    make_pods: MakePods, gateway: Gateway, faults: FaultProxy, status_code: int
) -> None:
    """The next one follows everything else; the pods stay who they were until it knows better."""
    pods = make_pods("http")
    first = pods.add()
    pods.wait_for(first)
    entry, later = pods.entry, f"{pods.tenant}-later"
    faults.inject(failure(status_code), of("endpointslices"), times=None)
    (control,) = set(entry.children()) - set(entry.workers())
    os.kill(control, signal.SIGKILL)
    add_tenant(pods.site, later, gateway)
    host = f"app1.{later}.{SYSTEM_DOMAIN}"
    wait_until(lambda: status(entry, host, gateway.path()) == 200, "no control process came back", SECONDS)
    assert [pods.ask() for _ in range(REQUESTS)] == [first] * REQUESTS

    second = pods.add()
    faults.heal()
    follow_again(pods.site, entry)
    pods.wait_for(first, second)
    pods.site.remove("configmaps", later)
    pods.site.remove("secrets", f"{later}-wildcard")


def test_an_empty_list_of_slices_when_the_control_process_dies(make_pods: MakePods, faults: FaultProxy) -> None:
    """The next one has pods in force and no slice to compare with; a second list must say that they are gone."""
    pods = make_pods("http")
    first = pods.add()
    pods.wait_for(first)
    lists, watches = both(is_list, of("endpointslices")), both(is_watch, of("endpointslices"))
    asked, followed = len(faults.received(lists)), len(faults.received(watches))
    faults.inject(empty_list(), lists, times=1)
    (control,) = set(pods.entry.children()) - set(pods.entry.workers())
    os.kill(control, signal.SIGKILL)
    answered = set()

    def is_followed() -> bool:
        answered.add(pods.ask())
        return len(faults.received(watches)) > followed

    wait_until(is_followed, "never followed", SECONDS)
    assert len(faults.received(lists)) == asked + 2
    assert answered == {first}
    second = pods.add()
    pods.wait_for(first, second)


def _port_of_several() -> int:
    """One that is free at all of their addresses."""
    with contextlib.ExitStack() as stack:
        port = 0
        for number in (11, 12):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((f"127.0.0.{number}", port))
            port = sock.getsockname()[1]
    return port
