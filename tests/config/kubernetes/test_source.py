from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from entryproxy.config.kubernetes import listing
from entryproxy.config.kubernetes import source as source_module
from entryproxy.config.kubernetes.guard import CONFIRM_SECONDS
from entryproxy.config.kubernetes.reflector import Reflector, Timing
from entryproxy.config.kubernetes.resources import config_maps, endpoint_slices, secrets
from entryproxy.config.kubernetes.source import KubernetesSource
from entryproxy.kubernetes.client import ClusterClient, CredentialsError
from entryproxy.model.certificate import Certificate
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import GatewayEndpoint, GatewayService, Platform, Tenant
from tests.kubernetes.api import FakeApi, Manifest, config_map, secret, status

CONFIG_MAPS, SECRETS, SLICES = config_maps("ns").path, secrets("ns").path, endpoint_slices().path


def endpoint_slice(name: str, service: str = "") -> Manifest:
    manifest = {**config_map(name), "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": []}
    manifest["metadata"]["labels"]["kubernetes.io/service-name"] = service
    return manifest


async def little_sleep(_: float) -> None:
    await asyncio.sleep(0.002)


def make_source(kubeconfig: str, wall: Callable[[], float] = time.time) -> KubernetesSource:
    return KubernetesSource(namespace="ns", kubeconfig=kubeconfig, timing=Timing(sleep=little_sleep, wall=wall))


@asynccontextmanager
async def watching(source: KubernetesSource) -> AsyncIterator[AsyncGenerator[float, None]]:
    async with asyncio.timeout(20), aclosing(source.watch()) as ticks:
        yield ticks


async def load_until(
    source: KubernetesSource, ticks: AsyncIterator[float], condition: Callable[[Reading], object]
) -> Reading:
    """The first reading that is meant."""
    async for _ in ticks:
        if condition(reading := source.load()):
            return reading
    raise AssertionError("the ticks ended")


def references(reading: Reading) -> list[str]:
    return sorted(one.reference for one in reading.changed)


@pytest.fixture
async def source(api: FakeApi, tmp_path: Path) -> KubernetesSource:
    await api.put(CONFIG_MAPS, config_map("a"))
    await api.put(SECRETS, secret("a"))
    await api.put(SLICES, endpoint_slice("a"))
    return make_source(api.kubeconfig(tmp_path))


async def test_the_first_tick_brings_everything(source: KubernetesSource) -> None:
    before = time.monotonic()
    async with watching(source) as ticks:
        first = await anext(ticks)
        assert before <= first <= time.monotonic()
        reading = source.load()
    assert references(reading) == ["ConfigMap ns/a", "EndpointSlice ns/a", "Secret ns/a"]
    assert (reading.removed, reading.findings, reading.unread, reading.error) == ((), (), frozenset(), "")


async def test_pages_are_shown_before_there_is_a_reading(
    api: FakeApi, source: KubernetesSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_ITEMS", 2)
    for number in range(4):
        await api.put(CONFIG_MAPS, config_map(f"more{number}"))
    pages: list[Sequence[LabelledObject]] = []
    source.preview(pages.append)
    async with watching(source) as ticks:
        await anext(ticks)
        shown = {one.reference: one for page in pages for one in page}
        assert max(map(len, pages)) == 2
        reading = source.load()
    assert sorted(shown) == references(reading)
    assert all(shown[one.reference] is one for one in reading.changed), "the very objects"


async def test_later_readings_are_differences(api: FakeApi, source: KubernetesSource) -> None:
    async with watching(source) as ticks:
        await anext(ticks)
        source.load()
        assert source.load() == Reading()
        await api.put(CONFIG_MAPS, config_map("b"))
        await api.put(SECRETS, secret("a", "new"))
        await api.delete(CONFIG_MAPS, "a")
        seen: list[str] = []
        while len(seen) < 3:
            await anext(ticks)
            reading = source.load()
            seen += [*references(reading), *(f"gone: {one}" for one in reading.removed)]
        assert sorted(seen) == ["ConfigMap ns/b", "Secret ns/a", "gone: ConfigMap ns/a"]


async def test_a_burst_is_one_tick(api: FakeApi, source: KubernetesSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "SETTLE_QUIET_SECONDS", 0.2)
    monkeypatch.setattr(source_module, "SETTLE_LONGEST_SECONDS", 20.0)
    async with watching(source) as ticks:
        await anext(ticks)
        source.load()
        for number in range(50):
            await api.put(CONFIG_MAPS, config_map(f"c{number}"))
        await anext(ticks)
        assert len(source.load().changed) == 50


async def test_half_a_configuration_is_never_handed_over(api: FakeApi, source: KubernetesSource) -> None:
    api.fail(status(503, "ServiceUnavailable", "busy"), times=10_000, when=lambda request: request.path == SECRETS)
    async with watching(source) as ticks:
        await anext(ticks)
        reading = source.load()
        assert reading.changed == ()
        assert reading.unread == {""}
        (finding,) = reading.findings
        assert finding.object == "Secrets ns/?"
        assert reading.error == str(finding)
        api.heal()
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert len(reading.changed) == 3
        assert (reading.unread, reading.error) == (frozenset(), "")


async def test_endpoint_slices_that_are_forbidden_hold_up_nobody(api: FakeApi, source: KubernetesSource) -> None:
    api.fail(status(403, "Forbidden", "no"), times=10_000, when=lambda request: request.path == SLICES)
    async with watching(source) as ticks:
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert references(reading) == ["ConfigMap ns/a", "Secret ns/a"]
        assert [(one.severity, one.reason) for one in reading.findings] == [("warning", "Forbidden")]
        assert reading.error == ""
        api.heal()
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert references(reading) == ["EndpointSlice ns/a"]
        assert reading.findings == ()


async def test_endpoint_slices_that_do_not_come_are_waited_for_a_moment(
    api: FakeApi, source: KubernetesSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "PATIENCE_SECONDS", 0.2)
    api.fail(status(500, "InternalError", "no"), times=10_000, when=lambda request: request.path == SLICES)
    async with watching(source) as ticks:
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert references(reading) == ["ConfigMap ns/a", "Secret ns/a"]
        assert reading.error == ""


async def test_out_of_reach_in_the_middle(api: FakeApi, tmp_path: Path) -> None:
    offset = 0.0
    source = make_source(api.kubeconfig(tmp_path), lambda: time.time() + offset)
    await api.put(SECRETS, secret("a"))
    async with watching(source) as ticks:
        await load_until(source, ticks, lambda reading: reading.changed)
        api.fail(status(500, "InternalError", "etcd is away"), times=100_000)
        api.cut()
        await asyncio.sleep(0.05)
        offset = 60.0
        reading = await load_until(source, ticks, lambda reading: len(reading.findings) == 3)
        assert "etcd is away" in reading.error
        assert (reading.changed, reading.removed, reading.unread) == ((), (), frozenset())
        api.heal()
        reading = await load_until(source, ticks, lambda reading: not reading.findings)
        assert reading == Reading()


async def test_an_unreadable_object(api: FakeApi, source: KubernetesSource) -> None:
    async with watching(source) as ticks:
        await load_until(source, ticks, lambda reading: reading.changed)
        await api.put(SECRETS, {**secret("a"), "data": {"tls.key": "%"}})
        await anext(ticks)
        reading = source.load()
        assert (reading.changed, reading.removed) == ((), ())
        assert reading.unread == {"Secret ns/a"}
        assert [(one.reason, one.field) for one in reading.findings] == [("InvalidObject", "data.tls.key")]
        assert reading.error == ""


async def test_without_credentials_it_keeps_trying(api: FakeApi, tmp_path: Path) -> None:
    source = make_source(str(tmp_path / "kubeconfig"))
    async with watching(source) as ticks:
        await anext(ticks)
        reading = source.load()
        (finding,) = reading.findings
        assert (finding.reason, finding.object) == ("UnreachableCluster", "Cluster ?/?")
        assert "There is no kubeconfig" in finding.message
        assert reading.error == str(finding)
        assert reading.unread == {""}
        api.kubeconfig(tmp_path)
        reading = await load_until(source, ticks, lambda reading: not reading.error)
        assert reading == Reading()


async def test_a_reload_lists_everything_again(api: FakeApi, source: KubernetesSource) -> None:
    async with watching(source) as ticks:
        await load_until(source, ticks, lambda reading: reading.changed)
        while len(api.watches) < 3:
            await asyncio.sleep(0.002)
        api._objects[CONFIG_MAPS].clear()  # and no event tells
        source.request_reload()
        reading = await load_until(source, ticks, lambda reading: reading.removed)
        assert reading.removed == ("ConfigMap ns/a",)
    # A list without the only one is confirmed by another.
    assert [len(api.lists(path)) for path in (CONFIG_MAPS, SECRETS, SLICES)] == [3, 2, 2]


async def test_credentials_are_asked_for_until_there_are_some() -> None:
    attempts = 0

    async def no_credentials() -> ClusterClient:
        nonlocal attempts
        attempts += 1
        raise CredentialsError("none")

    source = KubernetesSource(namespace="ns", connect=no_credentials, timing=Timing(sleep=little_sleep))
    async with watching(source) as ticks:
        await anext(ticks)
        while attempts < 3:
            await asyncio.sleep(0.002)


async def test_a_fault_of_ours_is_raised(source: KubernetesSource, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Reflector, "_watch", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        async with watching(source) as ticks:
            async for _ in ticks:
                pass


async def test_it_stops_when_nobody_listens(api: FakeApi, source: KubernetesSource) -> None:
    async with watching(source) as ticks:
        await anext(ticks)
        while len(api.watches) < 3:
            await asyncio.sleep(0.002)
    async with asyncio.timeout(20):
        while api.watches:
            await asyncio.sleep(0.002)


def in_force(*names: str) -> Snapshot:
    """Tenants with a certificate each."""
    tenants = [
        Tenant(id=name, source=f"ns/{name}", gateway_addresses=(), certificates=(certificate_of(name),))
        for name in names
    ]
    return Snapshot.build(Platform(system_domain="aigw.example.com", source="ns/platform"), tenants)


def with_pods(*namespaces: str) -> Snapshot:
    """Tenants by the namespace of their gateway: all have pods in force but those of "idle"."""
    tenants = [
        Tenant(
            id=f"t{number}",
            source=f"elsewhere/t{number}",
            gateway_addresses=(),
            gateway_service=GatewayService(namespace=namespace, name="gateway", port=80),
            gateway_endpoints=() if namespace == "idle" else (GatewayEndpoint(address="10.0.0.1:80"),),
        )
        for number, namespace in enumerate(namespaces)
    ]
    return Snapshot.build(Platform(system_domain="aigw.example.com", source="elsewhere/platform"), tenants)


def certificate_of(name: str) -> Certificate:
    return Certificate(
        owner=name,
        source=f"ns/{name}",
        names=(),
        not_before=0,
        not_after=0,
        fingerprint=name,
        chain_pem=b"",
        key_pem=PrivateBytes(b""),
    )


@pytest.mark.parametrize("path", [CONFIG_MAPS, SECRETS])
async def test_a_first_list_that_lacks_most_of_what_is_in_force_is_confirmed(
    api: FakeApi, source: KubernetesSource, path: str, tmp_path: Path
) -> None:
    """A process that starts while a lagging replica, or a store restored empty, answers has no list to compare with."""
    may_go_on = asyncio.Event()
    source = KubernetesSource(
        namespace="ns", kubeconfig=api.kubeconfig(tmp_path), timing=Timing(sleep=lambda _: may_go_on.wait())
    )
    others = "bcdef"
    for name in others:
        await api.put(CONFIG_MAPS, config_map(name))
        await api.put(SECRETS, secret(name))
    objects, api._objects[path] = api._objects[path], {}
    source.resume(in_force("a", *others))
    async with watching(source) as ticks:
        reading = await load_until(source, ticks, lambda reading: reading.findings)
        assert [one.reason for one in reading.findings] == ["SuddenDrop"]
        assert reading.unread == {""}
        assert reading.changed == ()
        api._objects[path] = objects
        may_go_on.set()
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert len(reading.changed) == 13
        assert (reading.findings, reading.unread, reading.error) == ((), frozenset(), "")


async def test_a_first_list_that_is_empty_twice_is_believed(api: FakeApi, source: KubernetesSource) -> None:
    source.resume(in_force(*"abcdefgh"))
    async with watching(source) as ticks:
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert references(reading) == ["ConfigMap ns/a", "EndpointSlice ns/a", "Secret ns/a"]
        assert (reading.findings, reading.unread, reading.error) == ((), frozenset(), "")
    assert [len(api.lists(path)) for path in (CONFIG_MAPS, SECRETS, SLICES)] == [2, 2, 1]


async def test_a_first_list_without_the_pods_that_are_in_force_is_confirmed(api: FakeApi, tmp_path: Path) -> None:
    """Configuration goes on meanwhile, with the pods as they were: EndpointSlices count as unread."""
    may_go_on = asyncio.Event()
    source = KubernetesSource(
        namespace="ns", kubeconfig=api.kubeconfig(tmp_path), timing=Timing(sleep=lambda _: may_go_on.wait())
    )
    await api.put(CONFIG_MAPS, config_map("a"))
    for name in "abc":
        await api.put(SLICES, endpoint_slice(name, service="gateway"))
    slices, api._objects[SLICES] = api._objects[SLICES], {}
    source.resume(with_pods("ns"))
    async with watching(source) as ticks:
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert references(reading) == ["ConfigMap ns/a"]
        assert reading.unread == {"EndpointSlice"}
        (doubt,) = reading.findings
        assert (doubt.reason, doubt.object) == ("SuddenDrop", "EndpointSlices */?")
        assert doubt.message.startswith("1 of 1 objects are missing")
        api._objects[SLICES] = slices
        may_go_on.set()
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert references(reading) == [f"EndpointSlice ns/{name}" for name in "abc"]
        assert (reading.findings, reading.unread, reading.error) == ((), frozenset(), "")


async def test_pods_that_are_missing_twice_are_gone(api: FakeApi, source: KubernetesSource) -> None:
    await api.delete(SLICES, "a")
    source.resume(with_pods("ns"))
    async with watching(source) as ticks:
        await load_until(source, ticks, lambda reading: not reading.unread and not reading.findings)
    assert len(api.lists(SLICES)) == 2


async def test_pods_that_come_and_go_are_none_of_the_first_list_s_business(
    api: FakeApi, source: KubernetesSource
) -> None:
    """What tells one Service's slices from another's is the Service; tenants without pods in force miss none."""
    await api.delete(SLICES, "a")
    await api.put(SLICES, endpoint_slice("new", service="gateway"))
    source.resume(with_pods("ns", "idle"))
    async with watching(source) as ticks:
        await load_until(source, ticks, lambda reading: not reading.unread)
    assert len(api.lists(SLICES)) == 1


async def test_a_later_list_without_any_pods_is_confirmed(
    api: FakeApi, source: KubernetesSource, tmp_path: Path
) -> None:
    may_go_on = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await (may_go_on.wait() if seconds >= CONFIRM_SECONDS else little_sleep(seconds))

    source = KubernetesSource(
        namespace="ns", kubeconfig=api.kubeconfig(tmp_path), timing=Timing(random=lambda: 0.0, sleep=sleep)
    )
    async with watching(source) as ticks:
        await load_until(source, ticks, lambda reading: len(reading.changed) == 3)
        slices, api._objects[SLICES] = api._objects[SLICES], {}
        api.expire()
        api.cut()
        reading = await load_until(source, ticks, lambda reading: reading.findings)
        assert [(one.reason, one.object) for one in reading.findings] == [("SuddenDrop", "EndpointSlices */?")]
        assert reading.removed == ()
        api._objects[SLICES] = slices
        may_go_on.set()
        assert (await load_until(source, ticks, lambda reading: not reading.findings)).removed == ()


async def test_other_namespaces_are_not_missed(api: FakeApi, tmp_path: Path) -> None:
    source = KubernetesSource(namespace="other", kubeconfig=api.kubeconfig(tmp_path))
    source.resume(in_force(*"abcdefgh"))
    async with watching(source) as ticks:
        assert (await load_until(source, ticks, lambda reading: True)).error == ""


async def test_endpoint_slices_are_unread_until_they_are_listed(api: FakeApi, source: KubernetesSource) -> None:
    api.fail(status(403, "Forbidden", "no"), times=10_000, when=lambda request: request.path == SLICES)
    async with watching(source) as ticks:
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert reading.unread == {"EndpointSlice"}
        api.heal()
        reading = await load_until(source, ticks, lambda reading: reading.changed)
        assert reading.unread == frozenset()
