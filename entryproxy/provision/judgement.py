"""All checks of what a tenant wants of its gateway, in one go, before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.desired import surroundings
from entryproxy.provision.objects import namespace_objects
from entryproxy.provision.placement import check_placement
from entryproxy.provision.problems import Problem
from entryproxy.provision.requirements import check_requirements
from entryproxy.provision.value_checks import check_values
from entryproxy.provision.value_ownership import check_own_values
from entryproxy.provision.values import CORE

_CORE_PARTS = ("global", "gateway", "controller")
"""What every higress-core has in its values, and what ours are written into."""


def judge(
    tenant: str,
    spec: TenantSpec,
    *,
    chart_name: str,
    chart_values: Mapping[str, Any],
    is_umbrella: bool,
    entry_namespace: str,
    shared_namespaces: Collection[str] | None = None,
    live_objects: Iterable[Mapping[str, Any]] = (),
) -> list[Problem]:
    """Needs `spec.release`, as the compiler lets it pass. chart_values: as for `check_values`. shared_namespaces: as
    for `check_placement`. live_objects: manifests
    of ResourceQuotas and LimitRanges that others have made in the namespace.

    A chart that isn't Higress's is all that is told of; sizes are looked at once the values can be trusted.
    """
    release = spec.release
    assert release is not None
    if missing := _missing_parts(chart_values, is_umbrella):
        message = f"{chart_name} is neither {CORE} nor around it: its values have no {', no '.join(missing)}"
        return [Problem("release.chart", message, "UnknownChart")]
    problems = [
        *check_placement(tenant, spec, entry_namespace=entry_namespace, shared_namespaces=shared_namespaces),
        *check_own_values(tenant, release, namespace=spec.gateway.namespace),
        *check_values(release.values, chart_values, umbrella=is_umbrella),
    ]
    if any(problem.is_fatal for problem in problems):
        return problems
    around, core = surroundings(tenant, spec, source="", entry_namespace=entry_namespace)
    objects = [*namespace_objects(around, spec.namespace), *live_objects]
    return problems + check_requirements(tenant, spec, core, objects)


def _missing_parts(chart_values: Mapping[str, Any], is_umbrella: bool) -> list[str]:
    """Of the umbrella, `global` may be at the top as well as below."""
    prefix = f"{CORE}." if is_umbrella else ""
    core = chart_values.get(CORE) if is_umbrella else chart_values
    known = set(core) if isinstance(core, Mapping) else set()
    if is_umbrella and "global" in chart_values:
        known.add("global")
    return [f"{prefix}{part}" for part in _CORE_PARTS if part not in known]
