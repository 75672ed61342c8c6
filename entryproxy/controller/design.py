"""From a tenant that wants a gateway to all that it wants of the cluster: the chart fetched, the wishes judged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import msgspec

from entryproxy.controller.helm.charts import ChartError, ChartPackage, ChartStore
from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.inventory import take_inventory
from entryproxy.controller.metadata import list_metadata
from entryproxy.controller.payload import RELEASE_NAME_ANNOTATION
from entryproxy.controller.tenants import Wanted, is_oldest_sharer
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.paths import collection_path
from entryproxy.model.objects import CONFIG_MAP
from entryproxy.provision.desired import Chart, make_desired
from entryproxy.provision.inventory import Inventory, ReleaseName, Unjudged
from entryproxy.provision.judgement import judge
from entryproxy.provision.narrowing import SHARED_CONFIG
from entryproxy.provision.placement import check_chart_source, check_fences
from entryproxy.provision.problems import Problem
from entryproxy.provision.refusals import Wish, refusals, wish_of, wish_of_spec
from entryproxy.provision.requirements import CHART_CONTROLLER_NAME
from entryproxy.provision.state import Desired
from entryproxy.provision.values import CHART_GATEWAY_NAME, shared_controller_name, shared_gateway_name
from entryproxy.settings import ControllerSettings

INVENTORY_SECONDS = 5.0
"""For so long a look at the whole cluster is good enough for one tenant after the other."""

_log = logging.getLogger(__name__)


class Refused(Exception):  # noqa: N818 - a verdict on a document, not a failure of ours
    """What a tenant wants can't be. is_transient: it may be possible a little later though nothing is changed."""

    def __init__(self, reason: str, message: str, *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.is_transient = is_transient


class Designer:
    """Makes `Desired` of `Wanted`. Writes nothing."""

    def __init__(self, client: ClusterClient, helm: Helm, charts: ChartStore, settings: ControllerSettings) -> None:
        self._client = client
        self._helm = helm
        self._charts = charts
        self._settings = settings
        self._inventory: Inventory | None = None
        self._inventory_at = 0.0
        self._unjudged: frozenset[Unjudged] = frozenset()
        self._wishes: dict[str, tuple[Wanted, Wish]] = {}
        self._lock = asyncio.Lock()

    async def design(self, wanted: Wanted, tenants: Mapping[str, Wanted]) -> tuple[Desired, Sequence[Problem]]:
        """What it wants, and what is worth a remark. tenants: all of them, by id.

        Raises Refused, ApiError, HelmError.
        """
        spec, release = wanted.spec, wanted.spec.release
        assert release is not None
        namespace, settings = namespace_of(wanted), self._settings
        chart = release.chart or settings.chart
        _refuse(check_chart_source(chart, registries=(settings.chart, *settings.chart_registries)))
        package = await self._fetch(chart, release.version or settings.chart_version)
        problems = judge(
            wanted.tenant,
            spec,
            chart_name=package.name,
            chart_values=package.values,
            is_umbrella=package.is_umbrella,
            entry_namespace=settings.namespace,
            shared_namespaces=settings.shared_namespaces,
            live_objects=await self._limit_ranges(namespace),
        )
        _refuse(problems)
        if _is_shared(wanted):
            _refuse(await self._fences(namespace))
        desired = make_desired(
            wanted.tenant,
            spec,
            source=wanted.source,
            uid=wanted.uid,
            entry_namespace=self._settings.namespace,
            chart=Chart(
                path=package.path, version=package.version, digest=package.digest, is_umbrella=package.is_umbrella
            ),
            helm_version=await self._helm.version(),
            has_config=await self._has_config(wanted, tenants),
            definitions=package.definitions,
        )
        return desired, problems

    async def check_neighbours(
        self, wanted: Wanted, desired: Desired, tenants: Mapping[str, Wanted], leaving: ReleaseName | None = None
    ) -> None:
        """Before a release is installed or upgraded, or uninstalled to be installed elsewhere. Raises Refused for what
        would collide, and ApiError. tenants: in force by now, which `wanted` may be no longer. leaving: the release
        that goes first."""
        earlier = [self._wish(one) for one in tenants.values() if one.wants_release and one.age < wanted.age]
        if len(self._wishes) > len(tenants):
            self._wishes = {tenant: wish for tenant, wish in self._wishes.items() if tenant in tenants}
        inventory = await self._take_inventory()
        _refuse(refusals(wish_of(desired), inventory.without(leaving) if leaving else inventory, earlier))

    def look_anew(self) -> None:
        """The cluster has changed since it was looked at: what is gone stands in nobody's way."""
        self._inventory = None

    def _wish(self, wanted: Wanted) -> Wish:
        """Remembered: of two hundred tenants that are installed, each is asked for by all the younger ones."""
        known = self._wishes.get(wanted.tenant)
        if known is None or known[0] is not wanted:
            known = wanted, wish_of_spec(wanted.tenant, wanted.spec, source=wanted.source)
            self._wishes[wanted.tenant] = known
        return known[1]

    async def _fetch(self, chart: str, version: str) -> ChartPackage:
        try:
            return await self._charts.get(chart, version)
        except ChartError as error:
            message = f"release.chart: {error.message}"
            raise Refused("ChartUnavailable", message, is_transient=error.is_transient) from error

    async def _take_inventory(self) -> Inventory:
        async with self._lock:
            if self._inventory is None or monotonic() - self._inventory_at > INVENTORY_SECONDS:
                self._inventory = await take_inventory(self._client)
                self._inventory_at = monotonic()
                self._complain(frozenset(self._inventory.unjudged))
            return self._inventory

    def _complain(self, unjudged: frozenset[Unjudged]) -> None:
        """What can't be listed can't be collided with in our eyes; Helm still refuses what isn't its release's."""
        for one in unjudged - self._unjudged:
            _log.warning("collisions over %s aren't seen: %s", one.resource, one.message)
        self._unjudged = unjudged

    async def _has_config(self, wanted: Wanted, tenants: Mapping[str, Wanted]) -> bool:
        """Whether the namespace's `higress-config` is this release's. Of those that share one, whoever has it keeps it:
        Helm takes it from nobody, and the oldest tenant may not be in force."""
        if not _is_shared(wanted):
            return True
        path = collection_path("v1", CONFIG_MAP, namespace_of(wanted))
        there = await list_metadata(self._client, path, name=SHARED_CONFIG)
        holder = there[0].annotations.get(RELEASE_NAME_ANNOTATION, "") if there else ""
        return holder == wanted.tenant if holder else is_oldest_sharer(wanted, tenants)

    async def _fences(self, namespace: str) -> list[Problem]:
        """Asked anew each time: whoever takes the label away wants to hear of it. One that isn't there is told of by
        the plan."""
        there = await list_metadata(self._client, collection_path("v1", "Namespace"), name=namespace)
        return [problem for one in there for problem in check_fences(namespace, one.labels)]

    async def _limit_ranges(self, namespace: str) -> list[dict[str, Any]]:
        """Those that are there: they decide which pods may be. A list's items don't say what they are."""
        path = collection_path("v1", "LimitRange", namespace)
        items = [item async for page in self._client.list(path) for item in msgspec.json.decode(page)["items"] or ()]
        return [{**item, "apiVersion": "v1", "kind": "LimitRange"} for item in items]


def namespace_of(wanted: Wanted) -> str:
    """Where its gateway is."""
    return wanted.spec.gateway.namespace or f"{wanted.tenant}-gateway"


def gateway_name_of(wanted: Wanted) -> str:
    """Its gateway's Deployment and Service."""
    return shared_gateway_name(wanted.tenant) if _is_shared(wanted) else CHART_GATEWAY_NAME


def controller_name_of(wanted: Wanted) -> str:
    """Its Higress controller's Deployment."""
    return shared_controller_name(wanted.tenant) if _is_shared(wanted) else CHART_CONTROLLER_NAME


def _is_shared(wanted: Wanted) -> bool:
    return wanted.spec.release is not None and wanted.spec.release.isolation == "shared"


def _refuse(problems: Sequence[Problem]) -> None:
    """Raises Refused if one of them is fatal: with all that are, since whoever mends one wants to know the next."""
    if fatal := [one for one in problems if one.is_fatal]:
        raise Refused(fatal[0].reason, "; ".join(f"{one.field}: {one.message}" for one in fatal))
