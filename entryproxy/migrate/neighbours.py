"""What else an Ingress has to do with: catch-all rules, backends elsewhere, other controllers' annotations, streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from entryproxy.migrate.findings import error, warning
from entryproxy.migrate.inventory import ConfigMap, Ingress, Inventory
from entryproxy.migrate.tenants import Tenants
from entryproxy.model.finding import Finding

_EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/"


def look_around(one: Ingress, inventory: Inventory, tenants: Tenants) -> Iterator[Finding]:
    """Findings about one Ingress that belong to none of its hosts."""
    yield from _rules_without_host(one)
    yield from _external_names(one, inventory, tenants)
    if any(name.startswith(_EXTERNAL_DNS) for name in one.annotations):
        message = (
            "external-dns publishes the address in the Ingress's status, which stays ingress-nginx's: name the "
            f"entry's with {_EXTERNAL_DNS}target when the host moves"
        )
        yield warning(one, "ExternalDns", "metadata.annotations", message)


def proposal_findings(ingresses: Iterable[Ingress], tenants: Tenants) -> Iterator[Finding]:
    """One for each namespace whose tenant is only a proposal."""
    for namespace, one in {one.namespace: one for one in ingresses if any(rule.host for rule in one.rules)}.items():
        assignment = tenants.of(one)
        if assignment.rule == "proposed" and assignment.tenant:
            yield Finding(
                severity="warning",
                reason="TenantProposed",
                object=f"Namespace {namespace}",
                field="metadata.name",
                message=f"Nothing says whose it is; say --tenant-of {namespace}=<tenant> unless it is {namespace}",
                tenant=assignment.tenant,
            )


def controller_findings(inventory: Inventory) -> Iterator[Finding]:
    """One for each ConfigMap that looks like the controller's, and isn't taken for it."""
    chosen = inventory.controller
    for one in inventory.controllers:
        if chosen is not None and one is not chosen:
            message = f"Looks like the settings of ingress-nginx, too; those of {chosen.reference} are used, the oldest"
            yield warning(one, "OtherController", "metadata.name", message)


def stream_findings(maps: Iterable[ConfigMap]) -> Iterator[Finding]:
    """One for each TCP or UDP service."""
    for one in maps:
        for port, target in sorted(one.data.items()):
            message = f"Port {port} leads to {target}: give that Service a LoadBalancer of its own"
            yield error(one, "StreamService", f"data.{port}", message)


def _rules_without_host(one: Ingress) -> Iterator[Finding]:
    for number, rule in enumerate(one.rules):
        if not rule.host:
            message = "A rule without a host answers for every name; the entry serves names that somebody owns"
            yield error(one, "CatchAll", f"spec.rules[{number}]", message)
    if one.default_service and not one.rules:
        message = f"{one.default_service} answers for every name that nobody claims; the entry answers them with 404"
        yield error(one, "DefaultBackend", "spec.defaultBackend", message)
    elif one.default_service:
        message = f"{one.default_service} answers paths without a rule: give the hosts a rule for / that leads there"
        yield warning(one, "DefaultBackend", "spec.defaultBackend", message)


def _external_names(one: Ingress, inventory: Inventory, tenants: Tenants) -> Iterator[Finding]:
    services = {path.service for rule in one.rules for path in rule.paths} | {one.default_service}
    for service in sorted(services):
        target = inventory.external_names.get((one.namespace, service))
        if not target:
            continue
        name, namespace = _in_cluster(target)
        if namespace == one.namespace:
            continue
        if namespace:
            yield from _into_namespace(one, service, name, namespace, inventory, tenants)
        else:
            message = (
                f"Service {service} leads out of the cluster to {target}: declare it in the tenant's McpBridge and "
                "write higress.io/destination"
            )
            yield warning(one, "ExternalService", "spec.rules", message)


def _into_namespace(
    one: Ingress, service: str, name: str, namespace: str, inventory: Inventory, tenants: Tenants
) -> Iterator[Finding]:
    """A Service that only stands for one in another namespace, which may be another tenant's."""
    ours = tenants.of(one).tenant
    theirs = tenants.of(_stand_in(namespace, inventory)).tenant
    message = (
        f"Service {service} stands for {namespace}/{name}: write higress.io/destination: "
        f"{name}.{namespace}.svc.cluster.local:<port> instead"
    )
    if theirs in ("", ours):
        yield warning(one, "CrossNamespaceService", "spec.rules", message)
    else:
        message += f", if tenant {theirs} agrees: the namespace is its own"
        yield error(one, "CrossNamespaceService", "spec.rules", message)


def _stand_in(namespace: str, inventory: Inventory) -> Ingress:
    """An Ingress of that namespace, to ask whose it is."""
    found = (one for one in inventory.ingresses.values() if one.namespace == namespace)
    return next(found, Ingress(namespace=namespace, name=""))


def _in_cluster(target: str) -> tuple[str, str]:
    """Service and namespace of "service.namespace.svc[.cluster.local]", ("", "") for a name outside."""
    name, _, rest = target.partition(".")
    namespace, _, suffix = rest.partition(".")
    return (name, namespace) if suffix == "svc" or suffix.startswith("svc.") else ("", "")
