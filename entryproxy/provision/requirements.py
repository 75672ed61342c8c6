"""What a tenant's gateway needs of its names and its namespace, checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from entryproxy.model.hostname import is_label
from entryproxy.model.quantity import format_quantity, parse_quantity
from entryproxy.model.release import QuotaSpec
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.footprint import Footprint, Unreadable, footprint
from entryproxy.provision.problems import Problem
from entryproxy.provision.values import CHART_GATEWAY_NAME

LABEL_CHARACTERS_MAX = 63
CHART_CONTROLLER_NAME = "higress-controller"


def check_requirements(
    tenant: str, spec: TenantSpec, values: Mapping[str, Any], objects: Iterable[Mapping[str, Any]] = ()
) -> list[Problem]:
    """Everything that would keep the release from coming up, or a later rollout from ending.

    spec: as the compiler lets it pass, so that its quantities can be read. values: those of `core_values`. objects:
    manifests of the namespace, those we are about to write and those that are there.
    """
    namespace = spec.gateway.namespace or f"{tenant}-gateway"
    problems = check_names(namespace, values)
    try:
        size = footprint(values)
    except Unreadable as unreadable:
        problems.append(unreadable.problem)
    else:
        problems += check_quota(spec.namespace.quota, size)
    return problems + check_limit_ranges(objects)


def check_names(namespace: str, values: Mapping[str, Any]) -> list[Problem]:
    """The chart's selectors have labels made of names, one of them of two names, which nothing cuts to their length."""
    gateway = _name(values, "gateway", CHART_GATEWAY_NAME)
    controller = _name(values, "controller", CHART_CONTROLLER_NAME)
    problems = [
        Problem(f"release.values.{part}.name", f'"{name}" is not a DNS label in lower case', "InvalidName")
        for part, name in (("gateway", gateway), ("controller", controller))
        if not is_label(name)
    ]
    label = f"{namespace}-{gateway}"
    if len(label) > LABEL_CHARACTERS_MAX:
        problems.append(
            Problem(
                "release.values.gateway.name",
                f'The chart labels gateways "{label}", <namespace>-<gateway.name>: {len(label)} characters where'
                f" Kubernetes takes {LABEL_CHARACTERS_MAX}; shorten either",
                "NameTooLong",
            )
        )
    return problems


def _name(values: Mapping[str, Any], part: str, default: str) -> str:
    below = values.get(part)
    return str((below.get("name") if isinstance(below, Mapping) else None) or default)


def check_quota(quota: QuotaSpec, size: Footprint) -> list[Problem]:
    """A quota without room for a rollout stops it half-way: old pods wait for new ones, which are refused.

    Room for the gateways that there are at least is demanded; for all that autoscaling may add it is only told of.
    """
    problems = []
    for resource, text in (("cpu", quota.cpu), ("memory", quota.memory)):
        if not text:
            continue
        given = parse_quantity(text)
        for scaled in (False, True):
            needed = size.needed(resource, scaled=scaled)
            if given < needed:
                binary = resource == "memory"
                amounts = format_quantity(needed, binary=binary), format_quantity(given, binary=binary)
                problems.append(_too_small(resource, size, *amounts, is_fatal=not scaled))
                break
    return problems


def _too_small(resource: str, size: Footprint, needed: str, given: str, *, is_fatal: bool) -> Problem:
    count = size.gateway.replicas if is_fatal else size.gateway.replicas_max
    gateways = "1 gateway" if count == 1 else f"{count} gateways"
    scaled = "" if is_fatal else " once autoscaling has made them"
    return Problem(
        f"namespace.quota.{resource}",
        f"A rollout of {gateways}{scaled} beside the controller needs {needed}, the quota gives {given}",
        "QuotaTooSmall",
        is_fatal,
    )


def check_limit_ranges(objects: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """A ResourceQuota on limits refuses pods with a container that has none, and the chart has such a one: a LimitRange
    has to give it a default."""
    objects = list(objects)
    defaults = {resource for one in objects if one.get("kind") == "LimitRange" for resource in _defaults(one)}
    return [
        Problem(
            "namespace.quota",
            f"ResourceQuota {one['metadata']['name']} is on {key}, and no LimitRange gives containers a default limit"
            f" of {key.removeprefix('limits.')}: pods of the controller would be refused",
            "LimitRangeMissing",
        )
        for one in objects
        if one.get("kind") == "ResourceQuota"
        for key in sorted(one.get("spec", {}).get("hard", {}))
        if key in ("limits.cpu", "limits.memory") and key.removeprefix("limits.") not in defaults
    ]


def _defaults(limit_range: Mapping[str, Any]) -> Iterable[str]:
    """Resources whose limit containers get by default: `default`, or `max`, which stands in for it."""
    for limit in limit_range.get("spec", {}).get("limits", ()):
        if limit.get("type") == "Container":
            yield from (*limit.get("default", ()), *limit.get("max", ()))
