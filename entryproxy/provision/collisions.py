"""Gateways of one cluster against each other, whoever installed them: what they share and shouldn't.

An error is something that goes wrong now or at the next upgrade; a warning is what somebody may have wanted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from entryproxy.model.finding import Finding
from entryproxy.provision.inventory import UNCLASSED, Controller, Inventory, ReleaseName, Workload
from entryproxy.provision.phrases import cluster_name, grouped, listed, name_of, numbers
from entryproxy.provision.problems import Problem
from entryproxy.provision.refusals import DEFINITION_VERSIONS, Neighbours, Wish, lacking, refusals_among

Reason = Literal[
    "ClassConflict",  # two controllers take the same Ingresses
    "GreedyClass",  # a controller takes Ingresses that name another class, or none
    "ForeignClass",  # the IngressClass isn't of the release whose controller serves it
    "DefaultClass",  # Ingresses without a class go to one gateway, or it isn't clear to which
    "SharedNamespace",  # several gateways share a namespace, and with it higress-config and plugins
    "SharedPlugin",  # a WasmPlugin's defaultConfig reaches more than one gateway
    "NameConflict",  # two releases have the same name for an object of the whole cluster
    "PortConflict",  # two gateways want the same port of a node, or of an address
    "GatewayApiConflict",  # the Gateway API's names are fixed, and more than one release has them
    "DefinitionVersion",  # a CustomResourceDefinition lacks the version that the charts need
    "DefinitionOwner",  # a CustomResourceDefinition goes when a release is uninstalled
    "StuckRelease",  # a Helm operation was broken off
    "TwoDeployed",  # two revisions of a release are called deployed
    "LeftOver",  # whose it was is gone
    "NotJudged",  # a kind can't be listed
    # from `refusals`, about a tenant that would collide
    "ClassTaken",
    "NamespaceTaken",
    "ReleaseTaken",
    "NameTaken",
    "PortTaken",
    "GatewayApiTaken",
]
HIGRESS_CONTROLLER = "higress.io/higress-controller"
STUCK_SECONDS = 600.0
"""Longer than any deadline that people give Helm (5 minutes by default)."""


def collisions(
    inventory: Inventory, wishes: Iterable[Wish], *, sources: frozenset[str], entry_namespace: str, now: float
) -> list[Finding]:
    """All that can be told. wishes: of the tenants with a release, those that came first in front. sources:
    "namespace/name" of the ConfigMaps that declare tenants. now: Unix seconds."""
    wanted = list(wishes)
    findings = [
        *_classes(inventory),
        *_defaults(inventory),
        *_sharing(inventory),
        *_names(inventory),
        *_ports(inventory),
        *_gateway_api(inventory),
        *_definitions(inventory),
        *_releases(inventory, wanted, now),
        *_namespaces(inventory, sources, entry_namespace),
    ]
    neighbours = Neighbours(inventory)
    for wish in wanted:
        findings += _refused(wish, neighbours)
        neighbours.admit(wish)
    findings += [
        _warning("NotJudged", f"{one.resource} */?", f"Not judged, you may not list {one.resource} ({one.message})")
        for one in inventory.unjudged
    ]
    return findings


def _classes(inventory: Inventory) -> Iterator[Finding]:
    by_class = grouped(inventory.controllers, lambda one: one.class_name)
    classes = {one.name: one for one in inventory.classes}
    for name, controllers in sorted(by_class.items()):
        rivals = [one for one in controllers if any(one is not other and one.overlaps(other) for other in controllers)]
        if rivals and name:
            message = f"{listed(rivals)} take the same Ingresses; give each release a global.ingressClass of its own"
            yield _error("ClassConflict", f"IngressClass {name}", message)
        for one in controllers:
            yield from _greed(one, inventory.controllers)
        if name in classes:
            for one in controllers:
                yield from _foreign(one, classes[name].owner, classes[name].controller)
    for there in inventory.classes if inventory.is_judged("secrets") else ():
        is_higress = there.controller == HIGRESS_CONTROLLER
        if is_higress and there.owner is not None and there.owner not in inventory.releases:
            message = f"Its release {name_of(there.owner)} is gone: no other can be installed with it; delete it"
            yield _warning("LeftOver", f"IngressClass {there.name}", message)


def _greed(one: Controller, controllers: Iterable[Controller]) -> Iterator[Finding]:
    if one.class_name not in ("", UNCLASSED):
        return
    others = [other for other in controllers if other is not one and other.overlaps(one)]
    if not others:
        return
    if not one.class_name:
        message = f"Without a class it takes the Ingresses of {listed(others)} as well; set global.ingressClass"
        yield _error("GreedyClass", str(one), message)
    else:
        message = f"With class {UNCLASSED} it also takes Ingresses without a class, beside {listed(others)}"
        yield _warning("GreedyClass", str(one), f"{message}; set another global.ingressClass unless that is meant")


def _foreign(one: Controller, owner: ReleaseName | None, served_by: str) -> Iterator[Finding]:
    """After `--take-ownership`, say: the class goes with whoever has it."""
    about = f"IngressClass {one.class_name}"
    if owner is not None and one.owner is not None and owner != one.owner:
        message = f"It belongs to release {name_of(owner)} and {one} of {name_of(one.owner)} needs it: uninstalling"
        yield _error("ForeignClass", about, f"{message} the first takes it away; give each a class of its own")
    elif served_by not in ("", HIGRESS_CONTROLLER):
        message = f"It is {served_by}'s, and {one} takes its Ingresses too; fine only while you migrate"
        yield _warning("ForeignClass", about, message)


def _defaults(inventory: Inventory) -> Iterator[Finding]:
    defaults = [one for one in inventory.classes if one.is_default]
    if all(one.controller != HIGRESS_CONTROLLER for one in defaults):
        return
    served = {one.class_name for one in inventory.controllers}
    for one in defaults:
        if len(defaults) > 1:
            message = f"{listed(each.name for each in defaults)} are all the default class; leave it to one of them"
            yield _warning("DefaultClass", f"IngressClass {one.name}", message)
        elif one.name in served and len(inventory.controllers) > 1:
            message = "It is the default: everybody's Ingresses without a class go to this gateway; is that meant?"
            yield _warning("DefaultClass", f"IngressClass {one.name}", message)


def _sharing(inventory: Inventory) -> Iterator[Finding]:
    by_namespace = {
        name: gateways
        for name, gateways in grouped(inventory.gateways, lambda one: one.namespace).items()
        if len(gateways) > 1
    }
    for name, gateways in sorted(by_namespace.items()):
        message = f"{listed(gateways)} share higress-config and every plugin; one namespace for each parts them"
        yield _warning("SharedNamespace", f"Namespace {name}", message)
    for plugin in inventory.plugins:
        if gateways := by_namespace.get(plugin.partition("/")[0], []):
            message = f"It reaches {listed(gateways)}; use matchRules in its place, or part the gateways' namespaces"
            yield _warning("SharedPlugin", f"WasmPlugin {plugin}", message, "spec.defaultConfig")


def _names(inventory: Inventory) -> Iterator[Finding]:
    for role, workloads in grouped(inventory.workloads, lambda one: cluster_name(one.name, one.namespace)).items():
        if len(workloads) > 1:
            message = f"{listed(workloads)} have it, by their chart's rule for names; rename a gateway or a controller"
            yield _error("NameConflict", f"ClusterRole {role}", message)


def _ports(inventory: Inventory) -> Iterator[Finding]:
    takers: dict[int, list[Workload]] = defaultdict(list)
    for gateway in inventory.gateways:
        for port in gateway.host_ports:
            takers[port].append(gateway)
    for gateways, ports in _together(takers):
        message = f"{listed(gateways)} take {numbers(ports)} of their nodes: no node can have both; move one of them"
        yield _warning("PortConflict", str(gateways[0]), message)
    by_address = grouped((one for one in inventory.services if one.address), lambda one: one.address)
    for address, services in sorted(by_address.items()):
        shared = {
            port for one in services for other in services if one is not other for port in one.ports & other.ports
        }
        if shared:
            message = f"{listed(services)} want {numbers(shared)} of {address}; give each an address of its own"
            yield _error("PortConflict", str(services[0]), message, "spec.loadBalancerIP")


def _together(takers: Mapping[int, list[Workload]]) -> Iterator[tuple[list[Workload], list[int]]]:
    """Ports with the same takers, more than one, at once."""
    for workloads in grouped(sorted(takers), lambda port: tuple(map(str, takers[port]))).values():
        if len(takers[workloads[0]]) > 1:
            yield takers[workloads[0]], workloads


def _gateway_api(inventory: Inventory) -> Iterator[Finding]:
    holders = [one for one in inventory.controllers if one.has_gateway_api]
    if len(holders) < 2:
        return
    message = f"{listed(holders)} have the Gateway API's fixed names; set global.enableGatewayAPI=false in all but one"
    if inventory.gateway_classes:
        yield _error("GatewayApiConflict", f"GatewayClass {inventory.gateway_classes[0]}", message)
    else:
        yield _warning("GatewayApiConflict", str(holders[0]), f"{message}; there is no GatewayClass to fight over yet")


def _definitions(inventory: Inventory) -> Iterator[Finding]:
    for one in inventory.definitions:
        wanted, about = DEFINITION_VERSIONS.get(one.name), f"CustomResourceDefinition {one.name}"
        if wanted and wanted not in one.versions:
            yield _error("DefinitionVersion", about, lacking(one.name, wanted, one.versions), "spec.versions")
        if one.owner is not None and inventory.gateways:
            message = f"It belongs to release {name_of(one.owner)}, whose uninstalling takes it, and every object of"
            yield _warning("DefinitionOwner", about, f"{message} its kind, from all others; keep that release")


def _releases(inventory: Inventory, wishes: Iterable[Wish], now: float) -> Iterator[Finding]:
    """Those of gateways only: a release's Secret doesn't say of which chart it is."""
    namespaces = {one.namespace for one in inventory.workloads} | {one.name for one in inventory.namespaces}
    namespaces |= {one.namespace for one in wishes}
    owners = {one.owner for one in inventory.classes}
    for release, revisions in sorted(inventory.releases.items()):
        is_ours = any(one.digest for one in revisions)
        if not (is_ours or release[0] in namespaces or release in owners):
            continue
        about, last = f"Release {name_of(release)}", revisions[-1]
        if last.status.startswith("pending-") and now - last.created > STUCK_SECONDS:
            minutes = (now - last.created) / 60
            remedy = "the controller recovers it" if is_ours else "helm rollback, or uninstall a first install"
            message = f"Revision {last.number} is {last.status} for {minutes:.0f} min, as if Helm was killed; {remedy}"
            yield (_warning if is_ours else _error)("StuckRelease", about, message)
        deployed = [str(one.number) for one in revisions if one.status == "deployed"]
        if len(deployed) > 1:
            message = f"Revisions {listed(deployed)} are deployed at once, so a rollback may choose either; upgrade it"
            yield _error("TwoDeployed", about, message)


def _namespaces(inventory: Inventory, sources: frozenset[str], entry_namespace: str) -> Iterator[Finding]:
    """Of tenants of this entry: what another one's are is not known here."""
    for one in inventory.namespaces:
        if one.entry == entry_namespace and one.source not in sources and one.source not in inventory.sources:
            message = f"Made for tenant {one.tenant}, whose ConfigMap {one.source} is gone; nothing looks after it:"
            yield _warning("LeftOver", f"Namespace {one.name}", f"{message} uninstall what it has, then delete it")


def _refused(wish: Wish, neighbours: Neighbours) -> Iterator[Finding]:
    for problem in refusals_among(wish, neighbours):
        yield problem_finding(problem, tenant=wish.tenant, source=wish.source)


def problem_finding(problem: Problem, *, tenant: str, source: str) -> Finding:
    """About the document of a tenant. source: "namespace/name" of its ConfigMap."""
    tell = _error if problem.is_fatal else _warning
    field = f"tenant.yaml: $.{problem.field}"
    return tell(problem.reason, f"ConfigMap {source}", problem.message, field, tenant=tenant)


def _error(reason: str, about: str, message: str, field: str = "", tenant: str = "") -> Finding:
    return Finding(severity="error", reason=reason, object=about, field=field, message=message, tenant=tenant)


def _warning(reason: str, about: str, message: str, field: str = "", tenant: str = "") -> Finding:
    return Finding(severity="warning", reason=reason, object=about, field=field, message=message, tenant=tenant)
