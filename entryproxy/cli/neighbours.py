"""What tenants want of their own gateways, judged against what lives in the cluster already."""

from __future__ import annotations

from collections.abc import Iterator

from entryproxy.cli.judging import Judgement
from entryproxy.compiler.provisioning import read_tenant_spec
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.collisions import collisions, problem_finding
from entryproxy.provision.inventory import Inventory
from entryproxy.provision.placement import check_placement
from entryproxy.provision.refusals import Wish, wish_of_spec
from entryproxy.provision.value_ownership import check_own_values


def judge_neighbours(judgement: Judgement, inventory: Inventory, entry_namespace: str) -> list[Finding]:
    """Collisions of the cluster, and of the tenants in force that have a release. inventory: an empty one where there
    is no cluster, so that tenants are judged against each other."""
    findings: list[Finding] = []
    wishes: list[Wish] = []
    for config_map, spec in _released(judgement):
        tenant = config_map.tenant
        assert spec.release is not None
        problems = check_placement(tenant, spec, entry_namespace=entry_namespace)
        problems += check_own_values(tenant, spec.release, namespace=spec.gateway.namespace)
        findings += [problem_finding(problem, tenant=tenant, source=_source(config_map)) for problem in problems]
        wishes.append(wish_of_spec(tenant, spec, source=_source(config_map)))
    sources = frozenset(_source(one) for one in judgement.reading.changed if isinstance(one, LabelledConfigMap))
    return findings + collisions(inventory, wishes, sources=sources, entry_namespace=entry_namespace, now=judgement.now)


def _released(judgement: Judgement) -> Iterator[tuple[LabelledConfigMap, TenantSpec]]:
    """Tenants in force that want a release, the oldest first."""
    in_force = {tenant.source for tenant in judgement.compilation.tenants.values()}
    declared = [
        one for one in judgement.reading.changed if isinstance(one, LabelledConfigMap) and _source(one) in in_force
    ]
    for config_map in sorted(declared, key=lambda one: (one.created, one.namespace, one.name)):
        spec = read_tenant_spec(config_map, parse_yaml)
        if spec.release is not None and spec.release.enabled:
            yield config_map, spec


def _source(config_map: LabelledConfigMap) -> str:
    return f"{config_map.namespace}/{config_map.name}"
