"""From what is wanted to what is to be there; the cluster, Helm and the charts are made up here."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import yaml

from entryproxy.controller import design
from entryproxy.controller.design import Designer, Refused, gateway_name_of, namespace_of
from entryproxy.controller.helm.chart import ChartError, ChartPackage
from entryproxy.controller.tenants import Wanted
from entryproxy.model.release import ReleaseSpec
from entryproxy.model.tenant import Gateway, TenantSpec
from entryproxy.provision import refusals
from entryproxy.provision.inventory import IngressClass, Inventory, Unjudged
from entryproxy.provision.problems import Problem
from entryproxy.provision.state import Desired
from entryproxy.provision.values import shared_gateway_name
from entryproxy.settings import ControllerSettings
from tests.charts import SMALL

SETTINGS = ControllerSettings(namespace="entry", chart="higress-core", chart_version="2.2.1")
NAMESPACES = "/api/v1/namespaces"
FENCED = {"pod-security.kubernetes.io/enforce": "baseline"}
CONFIG_MAPS = "/api/v1/namespaces/pool/configmaps"
LIMIT_RANGES = "/api/v1/namespaces/acme-gateway/limitranges"
PACKAGE = ChartPackage(
    name="higress-core",
    version="2.2.1",
    path="/charts/higress-core-2.2.1.tgz",
    digest="sha256",
    is_umbrella=False,
    values=yaml.safe_load((SMALL / "values.yaml").read_text()),
    definitions=({"kind": "CustomResourceDefinition"},),
)


def wanted(tenant: str = "acme", created: str = "2026-01-01T00:00:00Z", **release: Any) -> Wanted:
    spec = TenantSpec(release=ReleaseSpec(**release))
    return Wanted(tenant=tenant, namespace="entry", name=tenant, uid=f"u-{tenant}", created=created, spec=spec)


def shared(tenant: str, created: str) -> Wanted:
    gateway = Gateway(namespace="pool", service=shared_gateway_name(tenant))
    spec = TenantSpec(release=ReleaseSpec(isolation="shared", profile="dev"), gateway=gateway)
    return Wanted(tenant=tenant, namespace="entry", name=tenant, uid=f"u-{tenant}", created=created, spec=spec)


class World:
    """objects: by path, as a client lists them. asked: the charts that were, with their versions."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {NAMESPACES: [{"metadata": {"name": "pool", "labels": FENCED}}]}
        self.asked: list[tuple[str, str]] = []
        self.chart: ChartPackage | ChartError = PACKAGE
        self.inventories = [Inventory()]
        self.inventories_taken = 0
        self.designer = self.new_designer()

    def new_designer(self) -> Designer:
        """One that has seen nothing yet."""
        everything: Any = self
        charts: Any = Charts(self)
        return Designer(everything, everything, charts, SETTINGS)

    # -- as the client and Helm

    async def list(
        self, path: str, query: Mapping[str, str] = {}, *, metadata_only: bool = False
    ) -> AsyncIterator[bytes]:
        named = {NAMESPACES: "pool", CONFIG_MAPS: "higress-config"}
        assert query == ({"fieldSelector": f"metadata.name={named[path]}"} if path in named else {})
        assert metadata_only == (path in named)
        yield json.dumps({"items": self.objects.get(path)}).encode()

    async def version(self) -> str:
        return "4.2.4"

    async def take_inventory(self, _: object) -> Inventory:
        self.inventories_taken += 1
        return self.inventories[min(self.inventories_taken, len(self.inventories)) - 1]

    async def design(self, one: Wanted, *others: Wanted) -> Desired:
        made, _ = await self.designer.design(one, {each.tenant: each for each in (one, *others)})
        return made


class Charts:
    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, chart: str, version: str) -> ChartPackage:
        self._world.asked.append((chart, version))
        if isinstance(self._world.chart, ChartError):
            raise self._world.chart
        return self._world.chart


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    one = World()
    monkeypatch.setattr(design, "take_inventory", one.take_inventory)
    return one


# -- what is wanted


async def test_defaults_are_the_controllers(world: World) -> None:
    made = await world.design(wanted())
    assert world.asked == [("higress-core", "2.2.1")]
    assert (made.tenant, made.source, made.uid, made.namespace) == ("acme", "entry/acme", "u-acme", "acme-gateway")
    assert (made.release.chart, made.release.version) == (PACKAGE.path, "2.2.1")
    assert made.definitions == PACKAGE.definitions


async def test_a_document_chooses_its_chart(world: World) -> None:
    await world.design(wanted(chart="other", version="3.0.0"))
    assert world.asked == [("other", "3.0.0")]


async def test_where_a_gateway_is() -> None:
    assert (namespace_of(wanted()), gateway_name_of(wanted())) == ("acme-gateway", "higress-gateway")
    one = shared("acme", "")
    assert (namespace_of(one), gateway_name_of(one)) == ("pool", shared_gateway_name("acme"))


async def test_of_those_that_share_a_namespace_one_has_the_config(world: World) -> None:
    old, young = shared("old", "2026-01-01T00:00:00Z"), shared("young", "2026-01-02T00:00:00Z")
    assert (await world.design(old, young)).release.rendering.has_config
    assert not (await world.design(young, old)).release.rendering.has_config
    assert (await world.design(young)).release.rendering.has_config
    # Whoever has it keeps it, whether or not that one is in force, and the oldest.
    for holder in ("young", "gone"):
        annotations = {"meta.helm.sh/release-name": holder}
        world.objects[CONFIG_MAPS] = [{"metadata": {"name": "higress-config", "annotations": annotations}}]
        assert (await world.design(young, old)).release.rendering.has_config is (holder == "young")
        assert not (await world.design(old, young)).release.rendering.has_config
    world.objects[CONFIG_MAPS] = [{"metadata": {"name": "higress-config"}}]
    assert (await world.design(old, young)).release.rendering.has_config


# -- refusals


@pytest.mark.parametrize("is_transient", [True, False])
async def test_a_chart_that_cannot_be_had(world: World, is_transient: bool) -> None:
    world.chart = ChartError("no such chart", is_transient=is_transient)
    with pytest.raises(Refused) as raised:
        await world.design(wanted())
    assert (raised.value.reason, raised.value.message) == ("ChartUnavailable", "release.chart: no such chart")
    assert raised.value.is_transient == is_transient


async def test_a_chart_from_elsewhere_is_not_even_fetched(world: World) -> None:
    with pytest.raises(Refused) as raised:
        await world.design(wanted(chart="oci://elsewhere/chart"))
    assert raised.value.reason == "RegistryNotAllowed"
    assert world.asked == []


async def test_pods_of_a_shared_namespace_are_not_root_on_its_nodes(world: World) -> None:
    one = shared("acme", "")
    await world.design(one)
    world.objects[NAMESPACES] = [{"metadata": {"name": "pool"}}]
    with pytest.raises(Refused, match="kubectl label namespace pool ") as raised:
        await world.design(one)
    assert raised.value.reason == "NamespaceUnfenced"
    world.objects[NAMESPACES] = []  # which the plan tells of
    await world.design(one)


async def test_everything_that_is_wrong_is_said_at_once(world: World) -> None:
    with pytest.raises(Refused) as raised:
        await world.design(wanted(values={"gatway": {}, "controller": {"replicaz": 1}}))
    assert "gatway" in raised.value.message
    assert "replicaz" in raised.value.message
    assert not raised.value.is_transient


async def test_limit_ranges_of_others_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list's items don't say of which kind they are."""
    judged: list[Any] = []

    def judge(*_: object, live_objects: list[Any], **__: object) -> list[Problem]:
        judged.extend(live_objects)
        return []

    monkeypatch.setattr(design, "judge", judge)
    world.objects[LIMIT_RANGES] = [{"metadata": {"name": "narrow"}}]
    await world.design(wanted())
    assert judged == [{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "narrow"}}]


# -- neighbours


async def test_what_somebody_else_has(world: World) -> None:
    one = wanted()
    made = await world.design(one)
    await world.designer.check_neighbours(one, made, {"acme": one})
    world.inventories = [Inventory(classes=(IngressClass(name="acme", controller="somebody.else"),))]
    with pytest.raises(Refused, match="acme") as raised:
        await world.new_designer().check_neighbours(one, made, {"acme": one})
    assert not raised.value.is_transient


async def test_what_leaves_is_in_nobody_s_way(world: World) -> None:
    one = wanted()
    made = await world.design(one)
    leaving = ("acme-old", "acme")
    there = Inventory(classes=(IngressClass(name="acme", controller="higress.io/higress-controller", owner=leaving),))
    world.inventories = [there, Inventory()]
    await world.designer.check_neighbours(one, made, {"acme": one}, leaving)
    with pytest.raises(Refused, match="acme"):
        await world.designer.check_neighbours(one, made, {"acme": one})
    world.designer.look_anew()
    await world.designer.check_neighbours(one, made, {"acme": one})


async def test_older_tenants_come_first(world: World) -> None:
    """Even one that has no release yet; a younger one is in nobody's way, and neither is one that is gone."""
    old = wanted("old", "2026-01-01T00:00:00Z", gateway_api=True)
    young = wanted("young", "2026-01-02T00:00:00Z", gateway_api=True)
    both = {"old": old, "young": young}
    await world.designer.check_neighbours(old, await world.design(old), both)
    with pytest.raises(Refused, match="Tenant old"):
        await world.designer.check_neighbours(young, await world.design(young), both)
    await world.designer.check_neighbours(young, await world.design(young), {"young": young})


async def test_wishes_are_remembered_as_long_as_they_stand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def count(tenant: str, *arguments: Any, **options: Any) -> Any:
        asked.append(tenant)
        return refusals.wish_of_spec(tenant, *arguments, **options)

    monkeypatch.setattr(design, "wish_of_spec", count)
    old, young = wanted("old", "2026-01-01T00:00:00Z"), wanted("young", "2026-01-02T00:00:00Z")
    made, tenants = await world.design(young), {"old": old, "young": young}
    for _ in range(3):
        await world.designer.check_neighbours(young, made, tenants)
    assert asked == ["old"]
    tenants["old"] = wanted("old", "2026-01-01T00:00:00Z", profile="dev")
    await world.designer.check_neighbours(young, made, tenants)
    assert asked == ["old", "old"]
    assert world.inventories_taken == 1


async def test_what_cannot_be_listed_is_complained_of_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(design, "INVENTORY_SECONDS", -1.0)
    unjudged = Inventory(unjudged=(Unjudged("deployments.apps", "forbidden"),))
    world.inventories = [unjudged, unjudged, Inventory(), unjudged]
    one = wanted()
    made = await world.design(one)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            await world.designer.check_neighbours(one, made, {"acme": one})
    assert world.inventories_taken == 4
    assert [one.getMessage() for one in caplog.records] == [
        "collisions over deployments.apps aren't seen: forbidden"
    ] * 2  # it had been lifted in between
